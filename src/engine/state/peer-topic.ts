import type { OutgoingRecord } from "../../store/records.ts"
import { DAY_MS } from "../../time-units.ts"
import { inboxTopic, parseTopic, splitInbox } from "../../wire/topics.ts"
import type { EngineState } from "./engine-state.ts"

/** As long as a receiver keeps a mailbox that it has replaced [D-162]. */
export const KEPT_MS = 30 * DAY_MS
/** Two publishes without a receipt, 5 and 30 s apart, are no longer only slow. */
const UNANSWERED = 2

/**
 * Where a frame is published now: the mailbox that its receiver named last, whatever it was when the frame was sealed. What
 * gets no receipt there goes in turn to the one before, as its receiver may have lost the state that knows the last; an INIT,
 * which is sent because a state may be lost, goes to both [D-164].
 */
export function topicsOf(
  { devices, deviceParts }: Pick<EngineState, "devices" | "deviceParts">,
  { device: id, topic, attempts, kind }: Pick<OutgoingRecord, "device" | "topic" | "attempts" | "kind">,
  now: number,
): readonly string[] {
  const previous = deviceParts.get(id)?.previousInbox
  const device = devices.get(id)
  if (previous === undefined || device === undefined) return [topic]
  const present = inboxTopic(splitInbox(device.peerInbox))
  // Of a session with the machine that used its key before.
  if (deviceIn(topic) !== deviceIn(present)) return [topic]
  const before = inboxTopic(splitInbox(previous.inbox))
  if (now - previous.at > KEPT_MS || deviceIn(before) !== deviceIn(present)) return [present]
  if (kind === "init") return [present, before]
  return attempts < UNANSWERED || attempts % 2 === 1 ? [present] : [before]
}

function deviceIn(topic: string): string | undefined {
  const parsed = parseTopic(topic)
  return parsed?.kind === "inbox" ? parsed.device : undefined
}
