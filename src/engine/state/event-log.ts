import type { EventRecord } from "../../store/records.ts"
import type { Effect } from "./decision.ts"

export type RecordedEffect = Extract<Effect, { kind: "message" | "receipt" }>

/** The entry of the event log for an effect. */
export function eventRecord(effect: RecordedEffect, number: number): EventRecord {
  const { conversation, id } = effect
  return effect.kind === "message"
    ? { number, conversation, author: effect.author, id, state: null }
    : { number, conversation, author: null, id, state: effect.state }
}
