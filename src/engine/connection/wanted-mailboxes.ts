import { fromHex, toHex } from "../../crypto/bytes.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { EngineState } from "../state/engine-state.ts"

type WantedMailboxes = {
  /** Where contacts' devices send, and who answers an offer. Recovery bundles share their device's mailbox. */
  readonly needed: readonly Uint8Array[]
  /** Those that their devices have left: only a disk that was put back sends there. */
  readonly left: readonly Uint8Array[]
}

/** The mailboxes of all devices whose contact is not blocked, and of the offers. */
export function wantedMailboxes(state: EngineState): WantedMailboxes {
  const blocked = blockedDevices(state)
  const left = new Set([...state.waiting.rotations()].flatMap((id) => leftMailboxes(state, id)))
  const all = [...state.mailboxes].filter(([, device]) => !blocked.has(device)).map(([mailbox]) => mailbox)
  const offers = [...state.offers.values()].map(({ mailbox }) => mailbox)
  return {
    needed: [...all.filter((mailbox) => !left.has(mailbox)).map(fromHex), ...offers],
    left: all.filter((mailbox) => left.has(mailbox)).map(fromHex),
  }
}

function blockedDevices(state: EngineState): ReadonlySet<DeviceId> {
  const blocked = [...state.contacts.values()].filter((contact) => contact.blocked)
  return new Set(blocked.flatMap(({ id }) => state.devicesByContact.get(id) ?? []))
}

/** In hex. */
function leftMailboxes(state: EngineState, id: DeviceId): string[] {
  const rotation = state.deviceParts.get(id)?.mailboxRotation
  const present = state.devices.get(id)?.mailbox
  if (rotation?.confirmed !== true || present === undefined) return []
  return rotation.old.map(toHex).filter((mailbox) => mailbox !== toHex(present))
}
