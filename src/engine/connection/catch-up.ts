import { equal, fromBase64url, utf8 } from "../../crypto/bytes.ts"
import { kdf } from "../../crypto/kdf.ts"
import { Fault } from "../../errors.ts"
import { BUCKETS } from "../../wire/padding.ts"
import { ID_BYTES, inboxTopic } from "../../wire/topics.ts"
import type { InboxConnection } from "./inbox-connection.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import type { Ports } from "../state/ports.ts"
import type { BrokerConnection } from "./broker-connection.ts"

/** A broker that brings nothing for so long, not even our own frame, has stopped answering. */
const QUIET_MS = 5_000
/** 64 MiB over a slow line. No one can make us wait longer by sending without end. */
const QUIET_PERIODS_MAX = 120
const ECHO_BYTES = BUCKETS[0]
const ECHO_MAILBOX = utf8("mqttchat/1 echo mailbox")
const NO_SALT = new Uint8Array(0)

export type CatchUpParts = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly events: Events
  readonly broker: BrokerConnection
}

/**
 * Resolves when all that the broker held for us is here: a frame of random bytes to a mailbox of our own comes back
 * behind it, since a broker keeps the order of one device's queue. "incomplete" when the connection is lost before that,
 * or the broker brings nothing more.
 */
export async function catchUp(parts: CatchUpParts): Promise<"complete" | "incomplete" | "offline"> {
  const connection = parts.broker.connection()
  const device = fromBase64url(parts.broker.deviceId() ?? "")
  if (connection === undefined || device?.length !== ID_BYTES || parts.broker.status().kind !== "online")
    return "offline"
  // The same mailbox each time: a process that dies here leaves no further subscription behind.
  const mailbox = kdf(NO_SALT, parts.ports.identity.boxSecret, ECHO_MAILBOX, ID_BYTES)
  const interrupted = interruption(parts)
  const expected = { topic: inboxTopic({ device, mailbox }), bytes: parts.ports.random(ECHO_BYTES) }
  const echoed = echo(connection, expected, interrupted.promise)
  // It may wait for a connection that is lost.
  const outcome = await Promise.race([echoed.catch(asIncomplete), interrupted.promise])
  interrupted.end()
  // Frames before the echo are decided, but may not be on disk yet.
  await parts.queue.idle()
  return outcome
}

function asIncomplete(fault: unknown): "incomplete" {
  if (fault instanceof Fault) return "incomplete"
  throw fault
}

type Echo = { readonly topic: string; readonly bytes: Uint8Array }

/** An older echo may still be in the queue: only these bytes count. Nothing listens for it afterwards. */
async function echo(
  connection: InboxConnection,
  { topic, bytes }: Echo,
  interrupted: Promise<"incomplete">,
): Promise<"complete" | "incomplete"> {
  let received: (outcome: "complete") => void = () => undefined
  const back = new Promise<"complete">((resolve) => (received = resolve))
  const unsubscribe = await connection.listen(topic, (payload) => {
    if (equal(payload, bytes)) received("complete")
  })
  try {
    await connection.publish(topic, bytes)
    return await Promise.race([back, interrupted])
  } finally {
    unsubscribe()
  }
}

type Interruption = { readonly promise: Promise<"incomplete">; readonly end: () => void }

/** The connection is lost, or nothing has come for `QUIET_MS`. */
function interruption({ ports, events, broker }: CatchUpParts): Interruption {
  let end: () => void = () => undefined
  const promise = new Promise<"incomplete">((resolve) => {
    const interrupt = (): void => resolve("incomplete")
    let cancel: () => void = () => undefined
    const waitWhileFramesCome = (periods: number): void => {
      const before = broker.framesReceived()
      cancel = ports.after(QUIET_MS, () => {
        if (broker.framesReceived() === before || periods === 0) interrupt()
        else waitWhileFramesCome(periods - 1)
      })
    }
    waitWhileFramesCome(QUIET_PERIODS_MAX)
    const unsubscribe = events.listen((event) => {
      if (event.kind === "connection" && event.connection.kind !== "online") interrupt()
    })
    end = () => {
      cancel()
      unsubscribe()
    }
  })
  return { promise, end }
}
