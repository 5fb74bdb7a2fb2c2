import type { OutgoingRecord, Refusal } from "../../store/records.ts"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../time-units.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { BUCKETS } from "../../wire/padding.ts"
import { contactOf } from "../contacts/devices.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { notice } from "../state/events.ts"

/** Reason codes of MQTT 5 (section 2.4). */
const REASON = {
  UNSPECIFIED: 128,
  IMPLEMENTATION: 131,
  PACKET_TOO_LARGE: 149,
  PAYLOAD_FORMAT: 153,
} as const

/** The connection ended without a reason. */
export const NO_REASON = 0

/** What a refusal is about: this frame, all of its device, or one of both, which shows when it is refused again. */
export type RefusedWhat = "frame" | "device" | "unclear"

export function whatIsRefused(reason: number | undefined): RefusedWhat {
  if (reason === REASON.PACKET_TOO_LARGE || reason === REASON.PAYLOAD_FORMAT) return "frame"
  return reason === REASON.UNSPECIFIED || reason === REASON.IMPLEMENTATION ? "unclear" : "device"
}

/** How long a frame is set aside after the broker refused it for the nth time; the last value repeats. */
const ASIDE_MS = [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS] as const

/** The rest of a PUBLISH with the topic of an inbox, in bytes. */
const PUBLISH_OVERHEAD = 64
/** What a message has besides its text, at most. */
const TEXT_OVERHEAD = BUCKETS[6] - TEXT_MAX_BYTES

/** The longest text that a broker with this largest packet takes, in bytes. */
export function longestText(limit: number | undefined): number {
  if (limit === undefined) return TEXT_MAX_BYTES
  const bucket = BUCKETS.findLast((bytes) => fits(bytes, limit)) ?? 0
  return Math.max(0, bucket - TEXT_OVERHEAD)
}

function fits(wireBytes: number, limit: number): boolean {
  return wireBytes + PUBLISH_OVERHEAD <= limit
}

/** Sets a frame aside; one that would be lost anyway is dropped. */
export function setAside(state: EngineState, seq: number, refusal: Refusal, now: number): Decision<null> {
  const entry = state.outgoing.get(seq)
  if (entry === undefined || entry.published) return noChange(null)
  if (entry.kind === "passing") return { commit: [{ kind: "outgoing-done", seq }], effects: [], result: null }
  const attempts = entry.attempts + 1
  const outgoing = { ...entry, refusal, attempts, dueAt: nextTry({ ...entry, attempts }, refusal, now) }
  const contact = contactOf(state, entry.device)
  const isFirst = entry.refusal?.reason !== refusal.reason && contact !== undefined
  const notices = isFirst
    ? [{ kind: "event", event: notice(describe(contact.name, refusal), contact) } as const]
    : []
  return { commit: [{ kind: "outgoing", outgoing }], effects: notices, result: null }
}

/** What is too large stays so, until the broker takes more. A day later it is looked at, for it may have to be given up. */
function nextTry({ attempts }: OutgoingRecord, { reason, limit }: Refusal, now: number): number {
  if (reason === REASON.PACKET_TOO_LARGE && limit > 0) return now + DAY_MS
  return now + (ASIDE_MS[attempts - 1] ?? HOUR_MS)
}

function describe(name: string, refusal: Refusal): string {
  return `a message to ${name} waits, because ${whyRefused(refusal)}; the others go on`
}

/** Why a frame was set aside, and what fits. */
export function whyRefused({ reason, limit }: Refusal): string {
  const largest = longestText(limit === 0 ? undefined : limit)
  if (reason === REASON.PACKET_TOO_LARGE)
    return limit === 0
      ? "it is larger than the broker takes: send it in parts"
      : `it is larger than the broker takes, at most ${largest} bytes: send it in parts`
  if (reason === NO_REASON) return "the broker ended the connection when it was sent, more than once"
  return `the broker refused it, reason ${reason}`
}

/** Frames that the broker takes now, since its largest packet is another one. */
export function nowTaken(state: EngineState, limit: number | undefined): OutgoingRecord[] {
  return [...state.outgoing.values()].filter(({ refusal, wire }) => {
    if (refusal?.reason !== REASON.PACKET_TOO_LARGE || refusal.limit === (limit ?? 0)) return false
    return limit === undefined || fits(wire.length, limit)
  })
}
