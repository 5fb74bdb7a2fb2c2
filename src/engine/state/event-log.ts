import type { EventRecord } from "../../store/records.ts"
import type { Effect } from "./decision.ts"

export type RecordedEffect = Extract<Effect, { kind: "message" | "receipt" }>

/** The entry of the event log for an effect. */
export function eventRecord(effect: RecordedEffect, number: number): EventRecord {
  const { contact, id } = effect
  return effect.kind === "message"
    ? { number, contact, mine: effect.mine, id, state: null }
    : { number, contact, mine: true, id, state: effect.state }
}
