import { equal, fromBase64url, utf8 } from "../crypto/bytes.ts"
import { kdf } from "../crypto/kdf.ts"
import { Fault } from "../errors.ts"
import { BUCKETS } from "../wire/padding.ts"
import { ID_BYTES, inboxTopic } from "../wire/topics.ts"
import type { Link } from "./line.ts"
import type { Works } from "./works.ts"

/** A broker that takes longer to bring our own frame back has stopped answering. */
const PATIENCE_MS = 5_000
const ECHO_BYTES = BUCKETS[0]
const ECHO_MAILBOX = utf8("mqttchat/1 echo mailbox")
const NO_SALT = new Uint8Array(0)

/**
 * Resolves when all that the broker held for us has come: a frame of random bytes to a mailbox of our own comes back
 * behind it, since a broker keeps the order of one device's queue. Also resolves when the link is down or goes down,
 * and when the broker does not answer; the link's state then says why.
 */
export async function catchUp(works: Works): Promise<null> {
  const link = works.home.link()
  const device = fromBase64url(works.home.deviceId() ?? "")
  if (link === undefined || device?.length !== ID_BYTES || works.home.report().kind !== "online") return null
  // The same mailbox each time: a process that dies here leaves no further subscription behind.
  const mailbox = kdf(NO_SALT, works.ports.identity.boxSecret, ECHO_MAILBOX, ID_BYTES)
  const interrupted = interruption(works)
  try {
    await Promise.race([
      echo(link, inboxTopic({ device, mailbox }), works.ports.random(ECHO_BYTES)),
      interrupted.promise,
    ])
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
  } finally {
    interrupted.end()
  }
  // what came before the echo is decided, and perhaps not yet on disk
  await works.journal.idle()
  await works.gaps.closeOld()
  return null
}

/** An older echo may still lie in the queue: only these very bytes count. */
async function echo(link: Link, topic: string, bytes: Uint8Array): Promise<void> {
  let heard: () => void = () => undefined
  const back = new Promise<void>((resolve) => (heard = resolve))
  const stop = await link.listen(topic, (payload) => {
    if (equal(payload, bytes)) heard()
  })
  await link.publish(topic, bytes)
  await back
  stop()
}

type Interruption = { readonly promise: Promise<void>; readonly end: () => void }

function interruption({ ports, tidings }: Works): Interruption {
  let end: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    const cancel = ports.after(PATIENCE_MS, resolve)
    const unlisten = tidings.listen((event) => {
      if (event.event === "link" && event.link.kind !== "online") resolve()
    })
    end = () => {
      cancel()
      unlisten()
    }
  })
  return { promise, end }
}
