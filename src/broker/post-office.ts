import { Readable } from "node:stream"
import type { AedesPublishPacket, Client, PublishPacket, Subscription } from "aedes"
import { type Journal, type JournalStats, openJournal } from "./journal.ts"
import type { JournalRecord } from "./journal-record.ts"
import { type Filter, FILTERS_MAX, isKept, Queues, type QueuesStats } from "./queues.ts"

const DAY = 24 * 60 * 60 * 1000
/** Frames under way to one device; the next goes out when the oldest is acknowledged. */
const WINDOW = 32
/** A sender gives up after as long. */
const KEPT_MS = 30 * DAY
/** A certificate lasts as long; whoever comes back later subscribes again, and senders still hold what is missing. */
const AWAY_MS = 90 * DAY
/** Stands where aedes puts its own id into a packet: this one comes from a queue, in its turn. */
const FROM_QUEUE = "queue"

type Packet = { readonly cmd?: string; readonly messageId?: number }
type Outgoing = Packet & { readonly brokerId: string; readonly brokerCounter: number; readonly qos: number }

/**
 * Queues of QoS 1 messages, kept in a journal, in the shape that aedes calls a persistence. A message is on
 * the disk before its sender gets PUBACK, and each device is sent its queue in order, a window at a time:
 * aedes's own delivery of the same message is turned down (`isQueued`), because it neither keeps order nor
 * waits for the disk.
 */
export class PostOffice {
  readonly #queues: Queues
  readonly #journal: Journal
  readonly #may: (client: Client, filter: string) => boolean
  readonly #online = new Map<string, Client>()
  /** By session: the last change of its subscriptions, while it is being written. */
  readonly #changes = new Map<string, Promise<void>>()

  constructor(queues: Queues, journal: Journal, may: (client: Client, filter: string) => boolean) {
    this.#queues = queues
    this.#journal = journal
    this.#may = may
  }

  stats(): { queued: QueuesStats; journal: JournalStats } {
    return { queued: this.#queues.stats(), journal: this.#journal.stats() }
  }

  close(): Promise<void> {
    return this.#journal.close()
  }

  /** Resolves when PUBACK may be sent. A message for a full queue is dropped all the same: its sender keeps it. */
  async accept(packet: PublishPacket): Promise<void> {
    if (packet.qos === 0) return
    const session = this.#queues.recipientOf(packet.topic)
    // A copy: the parser's buffer holds other packets too.
    const payload = new Uint8Array(Buffer.from(packet.payload))
    if (session === undefined || !this.#queues.hasRoom(session, payload.length)) {
      await this.#journal.settled()
      return
    }
    const sequence = this.#queues.nextSequence()
    const record: JournalRecord = {
      kind: "queued",
      session,
      sequence,
      at: Date.now(),
      topic: packet.topic,
      payload,
    }
    this.#journal.append(record)
    // Whoever is connected need not wait for the disk: only PUBACK says that a message is kept.
    this.#deliver(session)
    await this.#journal.settled().catch((fault: unknown) => {
      this.#queues.apply({ kind: "settled", session, sequence })
      throw fault
    })
  }

  /** Whether this copy of a message is not to be forwarded now, since the client's queue brings it. */
  isQueued(client: Client, packet: AedesPublishPacket): boolean {
    if (client.clean || packet.qos === 0 || packet.brokerId === FROM_QUEUE) return false
    return this.#queues.recipientOf(packet.topic) === client.id
  }

  /** Once an hour or so: nothing is kept for ever. */
  expire(now: number): void {
    const isOnline = (session: string): boolean => this.#online.has(session)
    const due = [...this.#queues.due(now, { isOnline, keptMs: KEPT_MS, awayMs: AWAY_MS })]
    for (const record of due) this.#journal.append(record)
  }

  /** Drops the queue and the subscriptions of one session; its connection must have been ended before. */
  async forget(session: string): Promise<void> {
    await this.#journal.commit({ kind: "forgotten", session })
  }

  /** The client has its CONNACK. */
  arrived(client: Client): void {
    if (client.clean) return
    this.#online.set(client.id, client)
    this.#journal.append({ kind: "seen", session: client.id, at: Date.now() })
    this.#queues.restart(client.id)
    this.#deliver(client.id)
  }

  left(client: Client): void {
    if (this.#online.get(client.id) !== client) return
    this.#online.delete(client.id)
    this.#journal.append({ kind: "seen", session: client.id, at: Date.now() })
  }

  #deliver(session: string): void {
    const client = this.#online.get(session)
    if (client === undefined) return
    for (;;) {
      const taken = this.#queues.take(session, WINDOW)
      if (taken === undefined) return
      const { frame, again } = taken
      if (Date.now() - frame.at > KEPT_MS) this.#settle(session, frame.sequence)
      else client.publish(packetOf(frame, again), () => undefined)
    }
  }

  #settle(session: string, sequence: number): void {
    this.#journal.append({ kind: "settled", session, sequence })
  }

  // From here on: what aedes calls.

  async setup(): Promise<void> {
    // Nothing is left to do, but aedes insists.
  }

  /** Aedes hands over every filter of a SUBSCRIBE, the refused ones too. */
  addSubscriptions(client: Client, filters: readonly Subscription[]): Promise<void> {
    return this.#inTurn(client.id, async () => {
      const known = new Map(this.#queues.filtersOf(client.id).map(({ topic, qos }) => [topic, qos]))
      const fresh = filters.filter(
        ({ topic, qos }) => known.get(topic) !== qos && isKept(topic) && this.#may(client, topic),
      )
      if (known.size + fresh.length > FILTERS_MAX) throw new Error("too many subscriptions")
      await Promise.all(
        fresh.map(({ topic, qos }) =>
          this.#journal.commit({ kind: "subscribed", session: client.id, filter: topic, qos }),
        ),
      )
    })
  }

  removeSubscriptions(client: Client, filters: readonly string[]): Promise<void> {
    return this.#inTurn(client.id, async () => {
      const known = new Set(this.#queues.filtersOf(client.id).map(({ topic }) => topic))
      const ended = filters.filter((filter) => known.has(filter))
      await Promise.all(
        ended.map((filter) => this.#journal.commit({ kind: "unsubscribed", session: client.id, filter })),
      )
    })
  }

  /** A change counts once it is on disk: the next one of the same session looks only then at what it changes. */
  #inTurn(session: string, change: () => Promise<void>): Promise<void> {
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

  outgoingUpdate(client: Client, packet: Outgoing): Promise<void> {
    if (packet.brokerId === FROM_QUEUE && packet.messageId !== undefined) {
      this.#queues.numbered(client.id, packet.brokerCounter, packet.messageId)
      // A subscription turned down to QoS 0 meanwhile: no PUBACK will come.
      if (packet.qos === 0) this.#settle(client.id, packet.brokerCounter)
    }
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

/** Opens the journal at `path`. `may` is asked again for every filter that is to be remembered. */
export async function openPostOffice(
  path: string,
  registrarId: string,
  may: (client: Client, filter: string) => boolean,
): Promise<PostOffice> {
  const queues = new Queues(registrarId)
  const journal = await openJournal(path, {
    apply: (record) => queues.apply(record),
    snapshot: () => queues.snapshot(),
  })
  return new PostOffice(queues, journal, may)
}

function packetOf(
  frame: { topic: string; payload: Uint8Array; sequence: number },
  dup: boolean,
): AedesPublishPacket {
  return {
    cmd: "publish",
    topic: frame.topic,
    payload: Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length),
    qos: 1,
    retain: false,
    dup,
    brokerId: FROM_QUEUE,
    brokerCounter: frame.sequence,
  }
}
