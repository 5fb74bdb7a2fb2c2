import { Fault } from "../../errors.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { EngineState } from "../state/engine-state.ts"
import { contactOf, findDeviceById } from "../contacts/devices.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { Started } from "./initiator.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { type Event, notice } from "../state/events.ts"
import type { Ports } from "../state/ports.ts"
import { newestTexts } from "./have.ts"
import { selfOf } from "./hello.ts"
import { mayRecover, noteRecovery, noteReset, startRecovery } from "./recovery-policy.ts"
import { countMatched, countUnmatched, recoveryStateOf } from "./recovery-state.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { stepInput } from "../state/update.ts"
import { shellCommand } from "../../shell-command.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Recovers sessions whose state was lost or rolled back, on either side. */
export type RecoveryDriver = {
  /** A device's frame fits its session. */
  readonly onMatched: (device: DeviceId) => Promise<void>
  /** One fits nothing. Resolves when that is on disk, with its consequences. */
  readonly onUnmatched: (device: DeviceId, mid: Uint8Array) => Promise<void>
  /** At the user's request, without a limit. Faults `not-found`, `config`. */
  readonly begin: (device: DeviceId) => Promise<void>
  /** Devices of a backup have no session: each gets one, except those to which nothing may be sent, or that have no recovery bundle. */
  readonly beginRestored: () => void
}

/** The newest texts of the device that are here. */
type Have = readonly Uint8Array[] | undefined

export type RecoverySource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly mailboxes: Mailboxes
  readonly events: Events
}

export function openRecoveryDriver({ ports, queue, mailboxes, events }: RecoverySource): RecoveryDriver {
  /** Devices without a recovery bundle; the user is told once. */
  const unrecoverable = new Set<DeviceId>()

  function start(state: EngineState, id: DeviceId, have: Have): Decision<Started> {
    const device = findDeviceById(state, id)
    const inbox = mailboxes.inboxAt(device.mailbox)
    const self = { ...selfOf(state, ports), have }
    return startRecovery(state, self, { device, inbox }, stepInput(ports))
  }

  function report(id: DeviceId, { message }: Fault): void {
    const contact = contactOf(queue.state(), id)
    if (contact !== undefined) events.emit(unreadable(contact, message))
  }

  async function begin(id: DeviceId): Promise<void> {
    const have = await newestTexts(ports.store, queue, findDeviceById(queue.state(), id))
    await queue.run((state) => {
      const { commit, effects, result } = start(state, id, have)
      return { commit: [...commit, noteReset(state, id, ports.now())], effects, result }
    })
    ports.reach("recovery-committed")
  }

  async function beginAutomatically(id: DeviceId): Promise<void> {
    const now = ports.now()
    const device = queue.state().devices.get(id)
    if (device === undefined || !mayBegin(queue.state(), device)) return
    const have = await newestTexts(ports.store, queue, device)
    const hasBegun = await queue.run((state) => {
      if (!mayBegin(state, state.devices.get(id)) || !mayRecover(state, id, now)) return noChange(false)
      const { commit, effects } = start(state, id, have)
      return { commit: [...commit, noteRecovery(state, id, now)], effects, result: true }
    })
    if (hasBegun) ports.reach("recovery-committed")
  }

  /** What a person can do is told once. */
  async function beginOrReport(id: DeviceId, beginIt: (id: DeviceId) => Promise<void>): Promise<void> {
    try {
      await beginIt(id)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (!unrecoverable.has(id)) report(id, fault)
      unrecoverable.add(id)
    }
  }

  async function onMatched(id: DeviceId): Promise<void> {
    if (recoveryStateOf(queue.state(), id).unmatched > 0)
      await runUnlessFull(queue, (state) => countMatched(state, id))
  }

  async function onUnmatched(id: DeviceId, mid: Uint8Array): Promise<void> {
    const short = mid.slice(0, SHORT_MID_BYTES)
    const isLost = await runUnlessFull(queue, (state) => countUnmatched(state, id, short, ports.now()))
    if (isLost === true) await beginOrReport(id, beginAutomatically)
  }

  return {
    onMatched,
    onUnmatched,
    begin,
    beginRestored: () => restored(queue.state()).forEach((id) => void beginOrReport(id, begin)),
  }
}

/** On a full disk the next frame tries again. */
async function runUnlessFull<Result>(
  queue: CommitQueue,
  decide: (state: EngineState) => Decision<Result>,
): Promise<Result | undefined> {
  try {
    return await queue.run(decide)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return undefined
  }
}

function unreadable(contact: ContactRecord, why: string): Event {
  const { name } = contact
  const text = `what ${name} sends cannot be read: ${why}; ${shellCommand`mqttchat reset ${name}`}, or pair again: mqttchat pair`
  return notice(text, contact)
}

function restored(state: EngineState): DeviceId[] {
  return state.waiting
    .recoveries()
    .flatMap((id) => state.devices.get(id) ?? [])
    .filter((device) => device.state === "recovering" && !state.sessions.has(device.id))
    .filter((device) => sendableTo(receiverOf(state, device)) === "everything")
    .map(({ id }) => id)
}

/**
 * Frames under a key that was not compared cause no INIT: a person may begin one [D-42]. Nor do those of a device whose
 * account is not verified yet [D-71], or whose offer we answered: its bundles are in the answer.
 */
function mayBegin(state: EngineState, device: DeviceRecord | undefined): boolean {
  if (device === undefined || sendableTo(receiverOf(state, device)) !== "everything") return false
  return !isUnfinished(state, device.id) && device.state !== "init-sent"
}
