import { Fault } from "../../errors.ts"

/** The length of a string in MQTT has two bytes (MQTT 3.1.1 section 1.5.3). */
const STRING_BYTES_MAX = 65_535
const LONE_SURROGATE = /\p{Surrogate}/u
const SHARED = "$share/"

/** A topic that may be published to. Fault `usage` for one that a broker would refuse, or drop without a word. */
export function publishTopic(topic: string): string {
  requireMqttString("a topic", topic)
  if (topic === "") throw wrong("a topic has at least one character", "pub")
  if (/[+#]/.test(topic)) throw wrong("+ and # are for subscriptions, not for the topic of a message", "pub")
  if (/^\$SYS(\/|$)/.test(topic)) throw wrong("only the broker writes to $SYS", "pub")
  return topic
}

/** A topic filter that may be subscribed to. Fault `usage`. */
export function topicFilter(filter: string): string {
  requireMqttString("a topic filter", filter)
  const levels = unshared(filter).split("/")
  if (levels.join("/") === "") throw wrong("a topic filter has at least one character", "sub")
  if (levels.some((level) => level.length > 1 && /[+#]/.test(level)))
    throw wrong("+ and # stand alone between slashes", "sub")
  if (levels.slice(0, -1).includes("#")) throw wrong("# can only be the last level", "sub")
  return filter
}

/** Without the name of a shared subscription (MQTT 5 section 4.8.2). */
function unshared(filter: string): string {
  if (!filter.startsWith(SHARED)) return filter
  const [group = "", ...levels] = filter.slice(SHARED.length).split("/")
  if (group === "" || /[+#]/.test(group) || levels.length === 0)
    throw wrong("a shared subscription is $share/NAME/FILTER", "sub")
  return levels.join("/")
}

/** Fault `usage` for a string that no MQTT packet can hold. */
export function requireMqttString(what: string, text: string): void {
  if (text.includes("\0")) throw new Fault("usage", `${what} cannot contain the character U+0000`)
  if (LONE_SURROGATE.test(text)) throw new Fault("usage", `${what} has to be Unicode text`)
  const bytes = Buffer.byteLength(text)
  if (bytes > STRING_BYTES_MAX)
    throw new Fault("usage", `${what} has at most ${STRING_BYTES_MAX} bytes, and this one has ${bytes}`)
}

function wrong(why: string, command: "pub" | "sub"): Fault {
  return new Fault("usage", why, `mqttchat ${command} --help`)
}
