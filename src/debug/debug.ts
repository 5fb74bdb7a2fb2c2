import type { DEBUG_EVENTS, DebugTopic } from "./events.ts"
import type { Field } from "./fields.ts"

type Events<Topic extends DebugTopic> = (typeof DEBUG_EVENTS)[Topic]
type Values<Declared> = {
  readonly [Name in keyof Declared]?: Declared[Name] extends Field<infer Value> ? Value | undefined : never
}

/** The fields of one kind of event. */
export type DebugFields<Topic extends DebugTopic, Event extends keyof Events<Topic>> = Values<
  Events<Topic>[Event]
>

/** Writes a debug line. Only fields that `DEBUG_EVENTS` declares can be written, so no secret can. */
export type Debug = <Topic extends DebugTopic, Event extends keyof Events<Topic> & string>(
  topic: Topic,
  event: Event,
  fields: DebugFields<Topic, Event>,
) => void

/** The usual case: no debug output. */
export const NO_DEBUG: Debug = () => undefined
