import type { EventRecord } from "../../store/records.ts"
import type { Effect, RecordedKind } from "./decision.ts"

export type RecordedEffect = Extract<Effect, { kind: RecordedKind }>

export function isRecorded(effect: Effect): effect is RecordedEffect {
  return effect.kind === "message" || effect.kind === "receipt" || effect.kind === "changed"
}

/** The entry of the event log for an effect. */
export function eventRecord(effect: RecordedEffect, number: number): EventRecord {
  const { conversation, id } = effect
  switch (effect.kind) {
    case "message":
      return { number, conversation, author: effect.author, id, state: null, change: undefined }
    case "receipt":
      return { number, conversation, author: null, id, state: effect.state, change: undefined }
    case "changed":
      return { number, conversation, author: effect.author, id, state: null, change: effect.change }
  }
}
