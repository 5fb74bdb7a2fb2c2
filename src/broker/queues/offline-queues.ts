import { type Duplex, Readable } from "node:stream"
import type { AedesPublishPacket, Client, PublishPacket, Subscription } from "aedes"
import { monotonic } from "../limits/monotonic.ts"
import { takeMessageId } from "../aedes-internals.ts"
import { type Journal, type JournalStats, openJournal } from "./journal.ts"
import type { JournalFound } from "./journal-file.ts"
import type { JournalRecord, QueuedFrame } from "./journal-record.ts"
import { publishPacket } from "./publish-packet.ts"
import { keptTime } from "./kept-time.ts"
import { type Filter, isInbox, isPersisted, Queues, type QueuesStats, type Delivery } from "./queues.ts"
import { DAY_MS } from "../../time-units.ts"

/** Frames under way to one device; the next goes out when the oldest is acknowledged. */
const WINDOW = 32
/** A sender gives up after as long. */
const MESSAGE_EXPIRY_MS = 30 * DAY_MS
/** A certificate lasts as long; a device that returns later subscribes again, and senders still hold what is missing. */
const SESSION_EXPIRY_MS = 90 * DAY_MS

type Packet = { readonly cmd?: string; readonly messageId?: number }

/** What we ask about a client in addition to aedes. */
export type Permissions = {
  /** Asked for every filter that is to be remembered: aedes hands over the refused ones too. */
  readonly isSubscribed: (client: Client, filter: string) => boolean
  /** Again for every message that is about to be sent. */
  readonly maySend: (client: Client, topic: string, bytes: number) => boolean
}

/** The machine's clock in unix ms, and one in ms that cannot be set. */
export type BrokerClocks = { readonly wall: () => number; readonly elapsed: () => number }
const MACHINE_CLOCKS: BrokerClocks = { wall: Date.now, elapsed: monotonic }

/**
 * Queues of QoS 1 messages, kept in a journal, in the shape that aedes calls a persistence. A message is on
 * the disk before its sender gets PUBACK, and each device is sent its queue in order, a window at a time, past
 * aedes, whose own delivery neither keeps order nor waits for the disk (`isCarried`, `isQueued`).
 */
export class OfflineQueues {
  readonly #queues: Queues
  readonly #journal: Journal
  readonly #permissions: Permissions
  readonly #now: () => number
  readonly #online = new Map<string, Client>()
  /** By session: the last change of its subscriptions, while it is being written. */
  readonly #changes = new Map<string, Promise<void>>()
  /** By the filters of one SUBSCRIBE. */
  readonly #adding = new WeakMap<readonly Subscription[], Promise<void>>()

  /** `now` is the time of `keptTime`. */
  constructor(
    queues: Queues,
    journal: Journal,
    { now, ...permissions }: Permissions & { now: () => number },
  ) {
    this.#queues = queues
    this.#journal = journal
    this.#permissions = permissions
    this.#now = now
  }

  stats(): { queued: QueuesStats; journal: JournalStats } {
    return { queued: this.#queues.stats(), journal: this.#journal.stats() }
  }

  /** What was in the journal's place when it was opened. */
  get found(): JournalFound {
    return this.#journal.found
  }

  close(): Promise<void> {
    return this.#journal.close()
  }

  /** Resolves when PUBACK may be sent. A message for a full queue is dropped all the same: its sender keeps it. */
  async accept(packet: PublishPacket): Promise<void> {
    if (packet.qos === 0) return
    const { topic } = packet
    // A copy: the parser's buffer holds other packets too.
    const payload = new Uint8Array(Buffer.from(packet.payload))
    const recipients = this.#queues
      .recipientsOf(topic)
      .filter((session) => this.#queues.hasRoom(session, payload.length))
    if (recipients.length === 0) {
      await this.#journal.settled()
      return
    }
    const frame = { sequence: this.#queues.nextSequence(), at: this.#now(), topic, payload }
    this.#queueFor(recipients, frame)
    await this.#journal.settled().catch((fault: unknown) => {
      for (const session of recipients)
        this.#queues.apply({ kind: "settled", session, sequence: frame.sequence })
      throw fault
    })
  }

  /** The journal holds the payload once. */
  #queueFor(recipients: readonly string[], frame: QueuedFrame): void {
    const { sequence } = frame
    for (const [index, session] of recipients.entries()) {
      const record: JournalRecord =
        index === 0 ? { kind: "queued", session, ...frame } : { kind: "also-queued", session, sequence }
      this.#journal.append(record)
    }
    // Connected receivers need not wait for the disk: only PUBACK says that a message is kept.
    for (const session of recipients) this.#deliver(session)
  }

  /** Whether only the one device whose queue has this message may receive it. */
  bypassesRouting({ topic, qos }: Pick<PublishPacket, "topic" | "qos">): boolean {
    return qos > 0 && isInbox(topic) && this.#queues.recipientOf(topic) !== undefined
  }

  /** Whether this copy of a message is not to be forwarded now, since the client's queue brings it. */
  isQueued({ clean, id }: Client, { topic, qos }: AedesPublishPacket): boolean {
    return !clean && qos > 0 && this.#queues.isRecipient(id, topic)
  }

  /** Once an hour or so: nothing is kept for ever. */
  expire(): void {
    const isOnline = (session: string): boolean => this.#online.has(session)
    const due = [
      ...this.#queues.due(this.#now(), {
        isOnline,
        messageExpiryMs: MESSAGE_EXPIRY_MS,
        sessionExpiryMs: SESSION_EXPIRY_MS,
      }),
    ]
    for (const record of due) this.#journal.append(record)
  }

  /** Drops the queue and the subscriptions of one session; its connection must have been ended before. */
  forget(session: string): Promise<void> {
    return this.#runExclusive(session, () => this.#journal.commit({ kind: "forgotten", session }))
  }

  /** The client has its CONNACK. */
  connected(client: Client): void {
    if (client.clean) return
    this.#online.set(client.id, client)
    this.#journal.append({ kind: "seen", session: client.id, at: this.#now() })
    this.#queues.restart(client.id)
    this.#deliver(client.id)
  }

  disconnected(client: Client): void {
    if (this.#online.get(client.id) !== client) return
    this.#online.delete(client.id)
    this.#journal.append({ kind: "seen", session: client.id, at: this.#now() })
  }

  #deliver(session: string): void {
    const client = this.#online.get(session)
    if (client === undefined) return
    for (;;) {
      const taken = this.#queues.take(session, WINDOW)
      if (taken === undefined) return
      if (this.#now() - taken.frame.at > MESSAGE_EXPIRY_MS) this.#settle(session, taken.frame.sequence)
      else this.#send(client, taken)
    }
  }

  #send(client: Client, { frame, dup }: Delivery): void {
    const { topic, payload, sequence } = frame
    if (!this.#permissions.maySend(client, topic, payload.length)) return
    const messageId = takeMessageId(client)
    this.#queues.setMessageId(client.id, sequence, messageId)
    writeCorked(client.conn, publishPacket({ topic, payload, messageId, dup }))
  }

  #settle(session: string, sequence: number): void {
    this.#journal.append({ kind: "settled", session, sequence })
  }

  // From here on: what aedes calls.

  async setup(): Promise<void> {
    // Nothing is left to do, but aedes insists.
  }

  /** Aedes hands over every filter of a SUBSCRIBE, the refused ones too, and all of them again for each. */
  addSubscriptions(client: Client, filters: readonly Subscription[]): Promise<void> {
    const adding = this.#adding.get(filters) ?? this.#add(client, filters)
    this.#adding.set(filters, adding)
    return adding
  }

  #add(client: Client, filters: readonly Subscription[]): Promise<void> {
    return this.#runExclusive(client.id, async () => {
      // who was shut out meanwhile has no session any more
      if (client.closed) return
      const known = new Map(this.#queues.filtersOf(client.id).map(({ topic, qos }) => [topic, qos]))
      const fresh = filters.filter(
        ({ topic, qos }) =>
          known.get(topic) !== qos && isPersisted(topic) && this.#permissions.isSubscribed(client, topic),
      )
      await Promise.all(
        fresh.map(({ topic, qos }) =>
          this.#journal.commit({ kind: "subscribed", session: client.id, filter: topic, qos }),
        ),
      )
    })
  }

  removeSubscriptions(client: Client, filters: readonly string[]): Promise<void> {
    return this.#runExclusive(client.id, async () => {
      const known = new Set(this.#queues.filtersOf(client.id).map(({ topic }) => topic))
      const ended = filters.filter((filter) => known.has(filter))
      await Promise.all(
        ended.map((filter) => this.#journal.commit({ kind: "unsubscribed", session: client.id, filter })),
      )
    })
  }

  /** A change counts once it is on disk: the next one of the same session looks only then at what it changes. */
  #runExclusive(session: string, change: () => Promise<void>): Promise<void> {
    const done = (this.#changes.get(session) ?? Promise.resolve()).then(change)
    const settled = done
      .catch(() => undefined)
      .then(() => {
        if (this.#changes.get(session) === settled) this.#changes.delete(session)
      })
    this.#changes.set(session, settled)
    return done
  }

  subscriptionsByClient({ id }: Pick<Client, "id">): Promise<Filter[]> {
    return Promise.resolve(this.#queues.filtersOf(id))
  }

  async cleanSubscriptions({ id }: Client): Promise<void> {
    if (this.#queues.filtersOf(id).length > 0) await this.#journal.commit({ kind: "forgotten", session: id })
  }

  /** The queues have it since `accept`. */
  subscriptionsByTopic(): Promise<never[]> {
    return Promise.resolve([])
  }

  outgoingEnqueue(): Promise<void> {
    return Promise.resolve()
  }

  outgoingEnqueueCombi(): Promise<void> {
    return Promise.resolve()
  }

  outgoingUpdate(): Promise<void> {
    return Promise.resolve()
  }

  /** A PUBACK; but aedes calls it for messages that it did not forward, too. */
  outgoingClearMessageId(client: Client, packet: Packet): Promise<void> {
    const isCurrent = this.#online.get(client.id) === client
    if (packet.cmd === "puback" && packet.messageId !== undefined && isCurrent) {
      const sequence = this.#queues.sequenceOf(client.id, packet.messageId)
      if (sequence !== undefined) {
        this.#settle(client.id, sequence)
        this.#deliver(client.id)
      }
    }
    return Promise.resolve()
  }

  outgoingStream(): Readable {
    return Readable.from([])
  }

  createRetainedStreamCombi(): Readable {
    return Readable.from([])
  }

  streamWill(): Readable {
    return Readable.from([])
  }

  delWill(): Promise<void> {
    return Promise.resolve()
  }

  incomingGetPacket(): Promise<never> {
    return Promise.reject(new Error("QoS 2 is not offered here"))
  }
}

/** Opens the journal at `path`. */
export async function openOfflineQueues(
  path: string,
  registrarId: string,
  permissions: Permissions,
  { wall, elapsed }: BrokerClocks = MACHINE_CLOCKS,
): Promise<OfflineQueues> {
  const queues = new Queues(registrarId)
  const journal = await openJournal(path, {
    apply: (record) => queues.apply(record),
    snapshot: () => queues.snapshot(),
  })
  const now = keptTime(queues.newestTime(), wall(), elapsed)
  return new OfflineQueues(queues, journal, { ...permissions, now })
}

/** All that is written in one turn goes out together. */
function writeCorked(conn: Duplex, packet: Buffer): void {
  conn.cork()
  conn.write(packet)
  process.nextTick(() => conn.uncork())
}
