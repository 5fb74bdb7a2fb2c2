import type { EventRecord } from "../../store/records.ts"
import type { Effect } from "./decision.ts"

export type RecordedEffect = Extract<Effect, { kind: "message" | "receipt" | "read" }>

/** The entry of the event log for an effect. */
export function eventRecord(effect: RecordedEffect, number: number): EventRecord {
  const { contact } = effect
  switch (effect.kind) {
    case "message":
      return { number, contact, mid: effect.mid, state: null }
    case "receipt":
      return { number, contact, mid: effect.mid, state: effect.state }
    case "read":
      return { number, contact, mid: effect.mid8, state: "read" }
  }
}
