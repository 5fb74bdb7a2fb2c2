import { Fault } from "../../errors.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { EngineState } from "../state/engine-state.ts"
import { contactOf, findDeviceById } from "../contacts/devices.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { Started } from "./initiator.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { notice } from "../state/events.ts"
import type { Ports } from "../state/ports.ts"
import { selfOf } from "./hello.ts"
import { mayRecover, noteRecovery, recoveryChange, startRecovery, unmatchedFrom } from "./recovery-policy.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { stepInput } from "../state/update.ts"
import { shellCommand } from "../../shell-command.ts"
import type { DeviceId } from "../../store/ids.ts"

/** A single unmatched frame can come from anyone; three in a row mean that the state is lost. */
const UNMATCHED_MAX = 3

/** Recovers sessions whose state was lost or rolled back, on either side. */
export type RecoveryDriver = {
  /** Notes whether a device's frame matched the session. Resolves when that is on disk, with its consequences. */
  readonly onMatch: (device: DeviceId, matches: boolean) => Promise<void>
  /** At the user's request, without a limit. Faults `not-found`, `config`. */
  readonly begin: (device: DeviceId) => Promise<void>
  /** Devices of a backup have no session: each gets one, except those to which nothing may be sent, or that have no recovery bundle. */
  readonly beginRestored: () => void
}

export type RecoverySource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly mailboxes: Mailboxes
  readonly events: Events
}

export function openRecoveryDriver({ ports, queue, mailboxes, events }: RecoverySource): RecoveryDriver {
  /** Devices without a recovery bundle; the user is told once. */
  const unrecoverable = new Set<DeviceId>()

  function start(state: EngineState, id: DeviceId): Decision<Started> {
    const device = findDeviceById(state, id)
    const inbox = mailboxes.inboxAt(device.mailbox)
    const self = selfOf(state, ports)
    return startRecovery(state, self, { device, inbox }, stepInput(ports))
  }

  function report(id: DeviceId, { message }: Fault): void {
    const contact = contactOf(queue.state(), id)
    if (contact === undefined) return
    const { name } = contact
    const text = `what ${name} sends cannot be read: ${message}; ${shellCommand`mqttchat reset ${name}`}, or pair again: mqttchat pair`
    events.emit(notice(text, contact))
  }

  async function begin(id: DeviceId): Promise<void> {
    await queue.run((state) => start(state, id))
    ports.reach("recovery-committed")
  }

  async function beginAutomatically(id: DeviceId): Promise<void> {
    const now = ports.now()
    try {
      const isAllowed = await queue.run((state) => {
        if (!mayRecover(state, id, now)) return noChange(false)
        const { commit, effects } = start(state, id)
        return { commit: [noteRecovery(state, id, now), ...commit], effects, result: true }
      })
      if (isAllowed) ports.reach("recovery-committed")
      else report(id, tooOften())
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      report(id, fault)
    }
  }

  async function beginFirst(id: DeviceId): Promise<void> {
    try {
      await begin(id)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (!unrecoverable.has(id)) report(id, fault)
      unrecoverable.add(id)
    }
  }

  /** Persisted, because short-lived processes see one frame each. */
  async function countMatch(id: DeviceId, matches: boolean): Promise<void> {
    try {
      const unmatched = await queue.run((state) => countUnmatched(state, id, matches))
      const device = queue.state().devices.get(id)
      if (unmatched === UNMATCHED_MAX && mayBegin(queue.state(), device)) await beginAutomatically(id)
    } catch (fault) {
      // The disk is full; the next frame tries again.
      if (!(fault instanceof Fault)) throw fault
    }
  }

  return {
    onMatch: async (device, matches) => {
      if (!matches || unmatchedFrom(queue.state(), device) > 0) await countMatch(device, matches)
    },
    begin,
    beginRestored: () => restored(queue.state()).forEach((id) => void beginFirst(id)),
  }
}

function restored(state: EngineState): DeviceId[] {
  return [...state.devices.values()]
    .filter((device) => device.state === "recovering" && !state.sessions.has(device.id))
    .filter((device) => sendableTo(receiverOf(state, device)) === "everything")
    .map(({ id }) => id)
}

/** The count restarts at 0 after it has reached the maximum. */
function countUnmatched(state: EngineState, device: DeviceId, matches: boolean): Decision<number> {
  const unmatched = matches ? 0 : unmatchedFrom(state, device) + 1
  if (!state.devices.has(device)) return noChange(0)
  const change = recoveryChange(state, device, { unmatched: unmatched % UNMATCHED_MAX })
  return { commit: [change], effects: [], result: unmatched }
}

/**
 * A device whose INIT is on its way waits for the answer instead. Frames under a key that was not compared cause no INIT: a
 * person may begin one [D-42]. Nor do those of a device whose account is not verified yet [D-71].
 */
function mayBegin(state: EngineState, device: DeviceRecord | undefined): boolean {
  if (device === undefined || sendableTo(receiverOf(state, device)) !== "everything") return false
  if (isUnfinished(state, device.id)) return false
  return device.state === "established" || device.state === "unconfirmed"
}

function tooOften(): Fault {
  return new Fault("unavailable", "the connection breaks too often to be renewed automatically")
}
