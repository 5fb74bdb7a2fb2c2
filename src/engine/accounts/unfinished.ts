import { DAY_MS } from "../../time-units.ts"
import type { ShownAccount } from "../../store/account-record.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { contactOf, devicesOf } from "../contacts/devices.ts"
import { isUnfinished, shownBy } from "../contacts/shown-account.ts"
import { dropHeld, heldFrom } from "../contacts/held-texts.ts"
import { makeSystemMessage } from "../contacts/system-messages.ts"
import { endDeliveries } from "../contacts/end-deliveries.ts"
import {
  joined,
  NOTHING_FOLLOWS,
  type Change,
  type Consequences,
  type Decision,
  type Effect,
} from "../state/decision.ts"
import { mailboxesOf } from "../state/mailbox-index.ts"
import { directWith } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import { notice } from "../state/events.ts"
import type { StepInput } from "../state/update.ts"
import type { DeviceId } from "../../store/ids.ts"

/** How long a device may take to show the links of its account [D-71]. */
export const UNFINISHED_MS = DAY_MS
/** Strangers who answered an offer and did not show their account: only what is theirs is lost to a further one [D-71]. */
const UNFINISHED_MAX = 16

/** Why a device ends whose account removed it. */
export const REMOVED = "was removed from the account"

const NOTHING = new Uint8Array(0)

/** A handshake whose peer has shown nothing yet. */
export function notShown(at: number, until: number): ShownAccount {
  return { accountId: NOTHING, length: 0, head: NOTHING, at, until, tag: NOTHING, offer: "" }
}

/**
 * What a recovery leaves as it was while the account of a device was never verified: that it is hidden, when it ends, and the
 * account that an introduction named [D-71] [D-83]. Otherwise `fresh`.
 */
export function keptByRecovery(
  state: EngineState,
  device: DeviceId,
  { accountId }: Pick<ContactRecord, "accountId">,
  fresh: ShownAccount,
): ShownAccount {
  const before = shownBy(state, device)
  if (accountId !== undefined || before === undefined) return fresh
  return { ...before, length: 0, head: NOTHING }
}

export function shownChange(device: DeviceId, value: ShownAccount): Change {
  return { kind: "device-part", device, part: "shownAccount", value }
}

/** Someone who answered an offer, and is no contact for the person yet [D-71]. */
export function isHidden(state: EngineState, { id, accountId }: ContactRecord): boolean {
  const devices = devicesOf(state, id)
  return accountId === undefined && devices.length > 0 && devices.every((each) => isUnknown(state, each))
}

function isUnknown(state: EngineState, { id }: DeviceRecord): boolean {
  return isUnfinished(state, id) && (shownBy(state, id)?.tag.length ?? 0) > 0
}

/** When the next handshake ends by itself, unix ms. */
export function nextEnd(state: EngineState): number | undefined {
  const ends = [...state.unfinished].map((id) => shownBy(state, id)?.until ?? 0).filter((end) => end > 0)
  return ends.length === 0 ? undefined : Math.min(...ends)
}

function unfinishedDevices(state: EngineState): DeviceRecord[] {
  return [...state.unfinished].flatMap((id) => state.devices.get(id) ?? [])
}

/** The handshakes that were not finished in time [D-71]. */
export function endOverdue(state: EngineState, input: StepInput): Decision<null> {
  const ended = unfinishedDevices(state)
    .filter(({ id }) => (shownBy(state, id)?.until ?? 0) <= input.now)
    .map((device) => overdue(state, device, input))
  return { ...joined(ended), result: null }
}

function overdue(state: EngineState, device: DeviceRecord, input: StepInput): Consequences {
  const contact = contactOf(state, device.id)
  const shown = shownBy(state, device.id)
  if (contact?.accountId === undefined || shown === undefined || isUnknown(state, device))
    return endDevice(state, device, "did not finish the pairing in time", input)
  // They were a contact before: what was made before this handshake stays.
  const notification = makeSystemMessage(
    directWith(state, contact.id).id,
    `${contact.name} did not answer the new pairing`,
    input,
  )
  return {
    commit: [
      shownChange(device.id, { ...shown, until: 0 }),
      { kind: "device", device: { ...device, state: "recovering" } },
      ...dropHeld(heldFrom(state, device.id)),
      notification.change,
    ],
    effects: [notification.effect],
  }
}

/** Room for one more stranger: the oldest of too many goes. A device that is among them needs none. */
export function makeRoom(state: EngineState, device: DeviceId, input: StepInput): Consequences {
  const unknown = unfinishedDevices(state)
    .filter((each) => isUnknown(state, each))
    .sort((a, b) => (shownBy(state, a.id)?.at ?? 0) - (shownBy(state, b.id)?.at ?? 0))
  const hasRoom = unknown.length < UNFINISHED_MAX || unknown.some(({ id }) => id === device)
  const oldest = hasRoom ? undefined : unknown[0]
  if (oldest === undefined) return NOTHING_FOLLOWS
  return endDevice(state, oldest, "did not finish the pairing, and others wait", input)
}

/**
 * Ends a device's session and removes what its handshake made: a contact that was never verified goes with it. The person
 * is told [D-71].
 */
export function endDevice(
  state: EngineState,
  device: DeviceRecord,
  why: string,
  input: StepInput,
): Consequences {
  const contact = contactOf(state, device.id)
  const ended: Effect = { kind: "ended", device: device.id, mailboxes: mailboxesOf(state, device.id), why }
  if (contact === undefined) return { commit: [{ kind: "forget-device", id: device.id }], effects: [ended] }
  const isItsOwn = contact.accountId === undefined && devicesOf(state, contact.id).length === 1
  const text = `${contact.name} ${why}`
  if (isItsOwn) {
    const event = notice(`${text}; nothing of it was kept`)
    return {
      commit: [{ kind: "forget-contact", id: contact.id }],
      effects: [ended, { kind: "event", event }],
    }
  }
  const notification = makeSystemMessage(
    directWith(state, contact.id).id,
    `${text}; the session with that device has ended`,
    input,
  )
  const deliveries = endDeliveries(state, { contact, ended: [device], gone: [device] }, input)
  return {
    commit: [...deliveries.commit, { kind: "forget-device", id: device.id }, notification.change],
    effects: [ended, ...deliveries.effects, notification.effect],
  }
}
