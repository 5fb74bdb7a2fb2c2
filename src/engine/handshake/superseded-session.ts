import { open, seal } from "../../session/ratchet.ts"
import { decodeSession, encodeSession } from "../../session/snapshot.ts"
import type { SupersededSession } from "../../store/device-parts.ts"
import { NOT_PUBLISHED, type DeviceRecord } from "../../store/records.ts"
import { DAY_MS } from "../../time-units.ts"
import { inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import type { StepInput } from "../state/update.ts"
import { splitInbox } from "../../wire/topics.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Texts are retransmitted for this long, so an old device may return and send. */
const REMEMBERED_MS = 30 * DAY_MS

/**
 * The superseded session of a device whose new handshake comes from another machine; none if it is the same. No text
 * of the old session is shown, but a device that still uses it is told so [D-35].
 */
export function keepSuperseded(
  state: EngineState,
  previous: DeviceRecord | undefined,
  after: DeviceRecord,
  input: StepInput,
): Change[] {
  if (previous === undefined) return []
  const session = state.sessions.get(previous.id)
  if (isSameDevice(previous, splitInbox(after.peerInbox)) || session === undefined) return []
  const value = { since: input.now, inbox: previous.peerInbox, snapshot: encodeSession(session) }
  return [supersededChange(previous.id, value)]
}

export function isSameDevice({ peerInbox }: DeviceRecord, { device }: Inbox): boolean {
  return Buffer.compare(splitInbox(peerInbox).device, device) === 0
}

/**
 * A frame in a superseded session: its sender is told that the conversation moved, if anything may be sent to it.
 * False for any other frame.
 */
export function answerSuperseded(
  state: EngineState,
  from: DeviceId,
  wire: Uint8Array,
  input: StepInput,
): Decision<boolean> {
  const device = state.devices.get(from)
  const superseded = state.deviceParts.get(from)?.supersededSession
  if (device === undefined || superseded === undefined) return noChange(false)
  if (input.now - superseded.since > REMEMBERED_MS) return noChange(false)
  const before = decodeSession(superseded.snapshot)
  if (before === undefined) return noChange(false)
  const opened = open(before, wire, Math.floor(input.now / 1000))
  if (opened.kind === "refused") return noChange(false)
  if (sendableTo(receiverOf(state, device)) !== "everything") return noChange(true)
  const sealed = seal(opened.next, [{ kind: "moved", at: superseded.since }], input.random)
  const session = sealed.kind === "sealed" ? sealed.next : opened.next
  const commit = [supersededChange(from, { ...superseded, snapshot: encodeSession(session) })]
  if (sealed.kind === "sealed") {
    commit.push({
      kind: "outgoing",
      outgoing: {
        seq: state.nextOutgoing,
        device: from,
        mid: sealed.mid.slice(0, 8),
        kind: "passing",
        carries: undefined,
        carriesChange: undefined,
        withdrawnNumber: null,
        delivered: false,
        topic: inboxTopic(splitInbox(superseded.inbox)),
        wire: sealed.wire,
        ...NOT_PUBLISHED,
        dueAt: input.now,
        createdAt: input.now,
      },
    })
  }
  return { commit, effects: [{ kind: "received", device: from, receiptsWait: false }], result: true }
}

function supersededChange(device: DeviceId, value: SupersededSession): Change {
  return { kind: "device-part", device, part: "supersededSession", value }
}
