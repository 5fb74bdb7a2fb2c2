import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import type { ContactRecord, DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import type { EngineState } from "./engine-state.ts"

/**
 * What of ours may reach a contact [D-41]. `handshake`: only what makes the words and keys that a person compares, because
 * it is not known yet whose they are. `nothing`: a person blocked them, or another device of ours talks with them.
 */
export type Sendable = "everything" | "handshake" | "nothing"

type Trust = Pick<ContactRecord, "blocked" | "verified" | "changedAt" | "lockedAt">

/** A device and the contact whose it is. */
export type Receiver = {
  /** Undefined if it was forgotten. */
  readonly contact: Trust | undefined
  readonly device: Pick<DeviceRecord, "movedAt">
}

export function receiverOf(state: EngineState, device: DeviceRecord): Receiver {
  return { contact: state.contacts.get(device.contact), device }
}

/** Whether a contact is one whom we tell things and believe: not blocked, and with a key that was compared if it changed. */
export function isBelieved(contact: Trust): boolean {
  return !contact.blocked && !isUncompared(contact)
}

export function sendableTo({ contact, device }: Receiver): Sendable {
  if (contact === undefined || contact.blocked || device.movedAt > 0) return "nothing"
  return isUncompared(contact) ? "handshake" : "everything"
}

/** Another identity took over the name, or their account forked, and no one has compared since whose it is [A-22]. */
export function isUncompared({
  changedAt,
  lockedAt,
  verified,
}: Pick<ContactRecord, "changedAt" | "lockedAt" | "verified">): boolean {
  return (changedAt > 0 && !verified) || lockedAt > 0
}

/** Since when what they send is marked, unix ms: from the first word on under a new key; Infinity for never. */
export function uncomparedSince({ changedAt, lockedAt, verified }: ContactRecord): number {
  if (changedAt > 0 && !verified) return 0
  return lockedAt > 0 ? lockedAt : Infinity
}

/** Without these there would be nothing to compare. They say no more than the pairing said already. */
const OF_A_HANDSHAKE: ReadonlySet<Frame["kind"]> = new Set([
  "hello",
  "open",
  "chain",
  "chain-ask",
  "rejected",
  "superseded-inits",
])

const WITH_A_HANDSHAKE: ReadonlySet<OutgoingRecord["kind"]> = new Set(["init", "handshake", "chain"])

/** Whether these frames may be sealed for the device; waiting receipts are no part of a handshake. */
export function maySeal(to: Receiver, frames: readonly Frame[]): boolean {
  const sendable = sendableTo(to)
  if (sendable !== "handshake") return sendable === "everything"
  return frames.length > 0 && frames.every(({ kind }) => OF_A_HANDSHAKE.has(kind))
}

/**
 * Whether a frame in the outbox may leave while the rest waits, which may have been sealed before the contact's key changed:
 * nothing that says more may be sealed with it [D-41].
 */
export function isOfHandshake(kind: OutgoingRecord["kind"]): boolean {
  return WITH_A_HANDSHAKE.has(kind)
}

/** Fault `refused` if a message or setting of ours may not be sent to them. */
export function refuseUnsendable(contact: ContactRecord, devices: readonly DeviceRecord[]): void {
  const { name, blocked } = contact
  if (blocked)
    throw new Fault("refused", `${name} is blocked`, shellCommand`mqttchat contacts unblock ${name}`)
  if (contact.lockedAt > 0) {
    const message = `not sent: ${name}'s account was changed in two ways that contradict each other`
    throw new Fault("refused", message, `pair with ${name} again, and compare the words`)
  }
  if (isUncompared(contact)) {
    const message = `not sent: ${name}'s key changed, and you have not compared the new one`
    throw new Fault("refused", message, shellCommand`mqttchat verify ${name}`)
  }
  refuseWithoutDevice(contact, devices)
  if (devices.some(({ movedAt }) => movedAt === 0)) return
  const message = `not sent: ${name} now sends to another device of yours, which replaced this one`
  throw new Fault("refused", message, `${shellCommand`mqttchat reset ${name}`}, to continue on this device`)
}

/** Fault `refused` if the last device that we know of theirs was removed from their account. */
export function refuseWithoutDevice({ name }: ContactRecord, devices: readonly DeviceRecord[]): void {
  if (devices.length > 0) return
  const message = `the device of ${name} was removed from their account, and you have paired with no other`
  throw new Fault("refused", message, "mqttchat pair")
}
