import { frameRule, LIST_MAX, type Frame } from "./frame.ts"

/**
 * Whether one message may hold these frames [W-50]: one of each kind, one that is numbered, with its NUMBER, and no more
 * than `LIST_MAX` ids and numbers. What one message may cause is thereby bounded, and nothing in it can be overlooked.
 */
export function isOneMessage(frames: readonly Frame[]): boolean {
  const kinds = new Set<Frame["kind"]>()
  let numbered = 0
  let listed = 0
  for (const frame of frames) {
    if (frame.kind !== "unknown" && kinds.has(frame.kind)) return false
    kinds.add(frame.kind)
    if (frameRule(frame.kind).numbered) numbered += 1
    listed += listedIn(frame)
  }
  return numbered <= 1 && (numbered === 0 || kinds.has("number")) && listed <= LIST_MAX
}

/** How many ids or numbers a frame lists. */
export function listedIn(frame: Frame): number {
  if (frame.kind === "ack" || frame.kind === "superseded-inits") return frame.mids.length
  if (frame.kind === "read" || frame.kind === "have") return frame.ids.length
  return frame.kind === "again" || frame.kind === "gone" ? frame.numbers.length : 0
}
