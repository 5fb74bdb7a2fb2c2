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

/** A broker that takes longer to return our own frame has stopped answering. */
const TIMEOUT_MS = 5_000
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
 * behind it, since a broker keeps the order of one device's queue. Also resolves when the connection is lost, and when
 * the broker does not answer; the connection's status then gives the reason. False if there was no connection.
 */
export async function catchUp(parts: CatchUpParts): Promise<boolean> {
  const connection = parts.broker.connection()
  const device = fromBase64url(parts.broker.deviceId() ?? "")
  if (connection === undefined || device?.length !== ID_BYTES || parts.broker.status().kind !== "online")
    return false
  // The same mailbox each time: a process that dies here leaves no further subscription behind.
  const mailbox = kdf(NO_SALT, parts.ports.identity.boxSecret, ECHO_MAILBOX, ID_BYTES)
  const interrupted = interruption(parts)
  try {
    await Promise.race([
      echo(connection, inboxTopic({ device, mailbox }), parts.ports.random(ECHO_BYTES)),
      interrupted.promise,
    ])
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
  } finally {
    interrupted.end()
  }
  // Frames before the echo are decided, but may not be on disk yet.
  await parts.queue.idle()
  return true
}

/** An older echo may still be in the queue: only these bytes count. */
async function echo(connection: InboxConnection, topic: string, bytes: Uint8Array): Promise<void> {
  let received: () => void = () => undefined
  const back = new Promise<void>((resolve) => (received = resolve))
  const unsubscribe = await connection.listen(topic, (payload) => {
    if (equal(payload, bytes)) received()
  })
  await connection.publish(topic, bytes)
  await back
  unsubscribe()
}

type Interruption = { readonly promise: Promise<void>; readonly end: () => void }

function interruption({ ports, events }: CatchUpParts): Interruption {
  let end: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    const cancel = ports.after(TIMEOUT_MS, resolve)
    const unsubscribe = events.listen((event) => {
      if (event.kind === "connection" && event.connection.kind !== "online") resolve()
    })
    end = () => {
      cancel()
      unsubscribe()
    }
  })
  return { promise, end }
}
