import { Fault } from "../errors.ts"
import { type Debug, NO_DEBUG } from "./debug.ts"
import { DEBUG_EVENTS, DEBUG_TOPICS, type DebugTopic } from "./events.ts"
import type { Field } from "./fields.ts"

/** Parses a list of topics with commas; `all` is all of them. Fault `usage` for an unknown one. */
export function parseTopics(list: string): ReadonlySet<DebugTopic> {
  const names = list.split(",").flatMap((name) => name.trim() || [])
  return new Set(names.flatMap(topicsNamed))
}

function topicsNamed(name: string): readonly DebugTopic[] {
  if (name === "all") return DEBUG_TOPICS
  const topic = DEBUG_TOPICS.find((known) => known === name)
  if (topic !== undefined) return [topic]
  const message = `MQTTCHAT_DEBUG names ${JSON.stringify(name.slice(0, 32))}, which is not a topic`
  throw new Fault("usage", message, `the topics are ${DEBUG_TOPICS.join(", ")}, and all`)
}

/** Gives each line of these topics to `write`. `now` is unix ms. */
export function openDebug(
  topics: ReadonlySet<DebugTopic>,
  now: () => number,
  write: (line: string) => void,
): Debug {
  if (topics.size === 0) return NO_DEBUG
  return (topic, event, fields) => {
    if (topics.has(topic)) write(debugLine(now(), topic, event, fields))
  }
}

/** One JSON object and a line feed. */
function debugLine(now: number, topic: DebugTopic, event: string, fields: object): string {
  const declared: Readonly<Record<string, Readonly<Record<string, Field<unknown>>>>> = DEBUG_EVENTS[topic]
  const admitted = Object.entries(declared[event] ?? {}).flatMap(([name, field]) => {
    const value: unknown = Reflect.get(fields, name)
    // The compiler has checked it already; this also stops a secret behind a wrong cast.
    return field.admits(value) ? [[name, value] as const] : []
  })
  const time = new Date(now).toISOString()
  const schema = "mqttchat/debug/1"
  return `${JSON.stringify({ schema, time, pid: process.pid, topic, event, ...Object.fromEntries(admitted) })}\n`
}
