import type { DEBUG_EVENTS, DebugTopic } from "./events.ts"
import type { Field } from "./fields.ts"

type Events<Topic extends DebugTopic> = (typeof DEBUG_EVENTS)[Topic]
type Values<Declared> = {
  readonly [Name in keyof Declared]?: Declared[Name] extends Field<infer Value> ? Value | undefined : never
}

/** What may be said of one kind of event. */
export type DebugFields<Topic extends DebugTopic, Event extends keyof Events<Topic>> = Values<
  Events<Topic>[Event]
>

/** Notes that something has happened. Only what `DEBUG_EVENTS` declares can be noted, so no secret can. */
export type Debug = <Topic extends DebugTopic, Event extends keyof Events<Topic> & string>(
  topic: Topic,
  event: Event,
  fields: DebugFields<Topic, Event>,
) => void

/** The usual case: nothing is noted. */
export const NO_DEBUG: Debug = () => undefined
