import type { DeviceId } from "../../store/ids.ts"
import type { DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import { isOfHandshake, receiverOf, sendableTo } from "../state/send-gate.ts"

/** Beyond those that are under way few are passed over; one that many stand behind comes when it may go alone. */
const LOOKS_MAX = 64

/** What of a device may leave now. */
export type SendGate = {
  readonly now: number
  /** Frames that are with the broker already. */
  readonly inFlight: ReadonlySet<number>
  /** An INIT may leave only when its answer can arrive. */
  readonly maySendInit: (device: DeviceRecord) => boolean
  /** The broker takes nothing for it just now. */
  readonly rests: (device: DeviceId) => boolean
  readonly mayGo: (entry: OutgoingRecord) => boolean
}

/**
 * Which frame is published next: one of each device in turn, so that none waits for what another was sent [D-120]; of one
 * device in the order in which they were sealed. A step costs what is sent, however much waits.
 */
export class SendOrder {
  /** The devices that are still to come in this round. */
  #round = new Set<DeviceId>()

  next(state: EngineState, gate: SendGate): OutgoingRecord | undefined {
    return this.#nextOfRound(state, gate) ?? this.#nextOfNewRound(state, gate)
  }

  #nextOfNewRound(state: EngineState, gate: SendGate): OutgoingRecord | undefined {
    this.#round = new Set([...state.unsent, ...state.resting.upTo(gate.now)])
    return this.#nextOfRound(state, gate)
  }

  #nextOfRound(state: EngineState, gate: SendGate): OutgoingRecord | undefined {
    for (const device of this.#round) {
      this.#round.delete(device)
      const entry = dueFrame(state, device, gate)
      if (entry !== undefined) return entry
    }
    return undefined
  }
}

function dueFrame(state: EngineState, id: DeviceId, gate: SendGate): OutgoingRecord | undefined {
  const device = state.devices.get(id)
  if (device === undefined || gate.rests(id)) return undefined
  const sendable = sendableTo(receiverOf(state, device))
  if (sendable === "nothing") return lastWord(state, device, gate)
  if (sendable === "handshake") return dueOfHandshake(state, device, gate)
  return dueOfAll(state, device, gate)
}

/** The peer cannot open the rest before our INIT. */
function dueOfAll(state: EngineState, device: DeviceRecord, gate: SendGate): OutgoingRecord | undefined {
  const init = unsentInit(state, device)
  if (init !== undefined) return mayLeave(device, init, gate) ? init : undefined
  const queue = state.queues.get(device.id)
  if (queue === undefined) return undefined
  for (const seq of queue.resting.ascending()) {
    const entry = queue.entries.get(seq)
    if (entry === undefined || entry.dueAt > gate.now) break
    if (mayLeave(device, entry, gate)) return entry
  }
  let looks = 0
  for (const seq of queue.unsent.ascending()) {
    const entry = queue.entries.get(seq)
    if (entry !== undefined && mayLeave(device, entry, gate)) return entry
    if (++looks > LOOKS_MAX) return undefined
  }
  return undefined
}

/** Before a key was compared there are few of these, and nothing else leaves [D-41]. */
function dueOfHandshake(
  state: EngineState,
  device: DeviceRecord,
  gate: SendGate,
): OutgoingRecord | undefined {
  const init = unsentInit(state, device)
  if (init !== undefined) return mayLeave(device, init, gate) ? init : undefined
  return handshakeFrames(state, device.id).find(
    (entry) => (!entry.published || entry.dueAt <= gate.now) && mayLeave(device, entry, gate),
  )
}

/** A person who rejects the words of a contact also blocks them; that the words differ is the last that they hear [D-141]. */
function lastWord(state: EngineState, device: DeviceRecord, gate: SendGate): OutgoingRecord | undefined {
  if (device.movedAt > 0) return undefined
  return outgoingOfKind(state, device.id, "rejection").find((entry) => mayLeave(device, entry, gate))
}

function handshakeFrames(state: EngineState, device: DeviceId): OutgoingRecord[] {
  const kinds = ["init", "handshake", "chain", "rejection"] as const
  return kinds.flatMap((kind) => outgoingOfKind(state, device, kind)).sort((a, b) => a.seq - b.seq)
}

function unsentInit(state: EngineState, { id }: DeviceRecord): OutgoingRecord | undefined {
  return outgoingOfKind(state, id, "init").find(({ published }) => !published)
}

function mayLeave(device: DeviceRecord, entry: OutgoingRecord, gate: SendGate): boolean {
  const isReady = entry.kind !== "init" || gate.maySendInit(device)
  return isReady && !gate.inFlight.has(entry.seq) && gate.mayGo(entry)
}

/** When the next rest is over, as far as it lets something leave; Infinity for never. */
export function nextDue(state: EngineState, now: number): number {
  const withheld = state.resting.upTo(now).flatMap((id) => {
    const device = state.devices.get(id)
    const isPartly = device !== undefined && sendableTo(receiverOf(state, device)) === "handshake"
    return isPartly ? handshakeFrames(state, id) : []
  })
  const later = withheld.filter(({ dueAt, kind }) => dueAt > now && isOfHandshake(kind))
  return Math.min(state.resting.lowestOver(now), ...later.map(({ dueAt }) => dueAt))
}
