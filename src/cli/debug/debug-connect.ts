import { fromBase64url } from "../../crypto/bytes.ts"
import type { Debug, DebugFields } from "../../debug/debug.ts"
import { type ShortId, shortId } from "../../debug/fields.ts"
import { Fault } from "../../errors.ts"
import type { Connect, ConnectionState, ConnectTarget, TransportEvents } from "../../transport/transport.ts"
import { parseTopic, type Topic } from "../../wire/topics.ts"

/** The same connections, with debug lines for what they do. */
export function debugConnect(connect: Connect, debug: Debug): Connect {
  return (target, events) => {
    noteDial(debug, target)
    const transport = connect(target, debugEvents(events, debug))
    return {
      publish: (topic, payload) => {
        debug("outbox", "publish", { ...placeOf(topic), bytes: payload.length })
        return timed(debug, "outbox", topic, transport.publish(topic, payload))
      },
      subscribe: (topic) => {
        debug("connection", "subscribe", placeOf(topic))
        return transport.subscribe(topic)
      },
      unsubscribe: (topic) => {
        debug("connection", "unsubscribe", placeOf(topic))
        return transport.unsubscribe(topic)
      },
      serverPins: transport.serverPins,
      retry: transport.retry,
      close: () => {
        debug("connection", "close", {})
        return transport.close()
      },
    }
  }
}

function debugEvents({ onFrame, onState }: TransportEvents, debug: Debug): TransportEvents {
  return {
    onFrame: (topic, payload) => {
      debug("inbox", "frame", { ...placeOf(topic), bytes: payload.length })
      return timed(debug, "inbox", topic, onFrame(topic, payload))
    },
    onState: (state) => {
      debug("connection", "state", stateFields(state))
      onState(state)
    },
  }
}

/** Never the address: which broker a user has is private, and `mqttchat status` shows it to them. */
function noteDial(debug: Debug, { credential, others = [], mqttVersion }: ConnectTarget): void {
  debug("connection", "dial", {
    credential: credential.kind,
    addresses: 1 + others.length,
    mqtt: mqttVersion,
  })
}

export function stateFields(state: ConnectionState): DebugFields<"connection", "state"> {
  if (state.kind !== "online") return { state: state.kind, code: state.why.code }
  return { state: state.kind, session: state.sessionPresent, mqtt: state.mqttVersion }
}

/** What a topic is for, and its mailbox if it has one. A nameplate is half of a pairing code and is left out. */
function placeOf(topic: string): { to: Topic["kind"] | "other"; mailbox?: ShortId } {
  const parsed = parseTopic(topic)
  const mailbox = parsed?.kind === "inbox" ? fromBase64url(parsed.mailbox) : undefined
  return { to: parsed?.kind ?? "other", ...(mailbox && { mailbox: shortId(mailbox) }) }
}

async function timed(
  debug: Debug,
  of: "outbox" | "inbox",
  topic: string,
  work: Promise<void>,
): Promise<void> {
  const startedAt = performance.now()
  const { to } = placeOf(topic)
  const ms = (): number => Math.round(performance.now() - startedAt)
  try {
    await work
    debug(of, "acknowledged", { to, ms: ms() })
  } catch (cause) {
    debug(of, "failed", { to, ms: ms(), code: cause instanceof Fault ? cause.code : "bug" })
    throw cause
  }
}
