import { toHex } from "../../crypto/bytes.ts"
import type { EngineState } from "../state/engine-state.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"

type WantedMailboxes = {
  /** Where contacts' devices send, and who answers an offer. Recovery bundles share their device's mailbox. */
  readonly needed: readonly Uint8Array[]
  /** Those that their devices have left: only a disk that was put back sends there. */
  readonly left: readonly Uint8Array[]
}

/** The mailboxes of all devices whose contact is not blocked, and of the offers. */
export function wantedMailboxes(state: EngineState): WantedMailboxes {
  const { contacts, devices, bundles, deviceParts } = state
  const listened = [...devices.values()].filter(({ contact }) => contacts.get(contact)?.blocked === false)
  const offers = [...bundles.values()].filter(({ device }) => device === null)
  const all = listened.flatMap(({ id, mailbox }) => {
    const isLeft = deviceParts.get(id)?.mailboxRotation?.confirmed === true
    return mailboxesOf(state, id).map((each) => ({
      mailbox: each,
      isNeeded: !isLeft || toHex(each) === toHex(mailbox),
    }))
  })
  return {
    needed: [...all.filter(({ isNeeded }) => isNeeded), ...offers].map(({ mailbox }) => mailbox),
    left: all.filter(({ isNeeded }) => !isNeeded).map(({ mailbox }) => mailbox),
  }
}
