import { Fault } from "../../src/errors.ts"
import type { Connect, ConnectionState, Transport, TransportEvents } from "../../src/transport/transport.ts"

/** What the post office may do to a frame before it is delivered: the copies that arrive, or none. */
export type Meddle = (topic: string, payload: Uint8Array) => readonly Uint8Array[]

const FAITHFUL: Meddle = (_topic, payload) => [payload]

type Letter = { readonly topic: string; readonly payload: Uint8Array }
/** As many as a client reads ahead. */
const AT_ONCE = 16

type Box = {
  readonly topics: Set<string>
  readonly queue: Letter[]
  link: PostalLink | undefined
  busy: boolean
}

/**
 * A broker in memory that does what MQTT promises for QoS 1: PUBACK after the letter is in every queue, letters to each
 * reader in order and a few at a time, from the first refused one on again on the next connection; and, on request, what
 * a hostile broker does.
 */
export class PostOffice {
  readonly #boxes = new Map<string, Box>()
  readonly #links = new Set<PostalLink>()
  readonly seen: Letter[] = []
  meddle: Meddle = FAITHFUL
  /** Whether a letter is not taken, though the link is up. */
  refuses: () => boolean = () => false
  #open = true
  #guests = 0
  #work = 0

  readonly connect: Connect = (target, events) => {
    const { credential } = target
    const id = credential.kind === "guest" ? `guest-${this.#guests++}` : credential.deviceId
    const link = new PostalLink(this, id, events)
    this.#links.add(link)
    queueMicrotask(() => this.#greet(link))
    return link
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Grows with everything that happens here. */
  get work(): number {
    return this.#work
  }

  close(): void {
    this.#open = false
    for (const link of this.#links) link.lost()
  }

  /** Whoever is not connected comes back. */
  reopen(): void {
    this.#open = true
    for (const link of this.#links) if (!link.isUp) this.#greet(link)
  }

  /** The broker starts anew with nothing, not even its readers' names; nobody is connected. */
  forgetAll(): void {
    this.#boxes.clear()
  }

  /** What it has accepted is gone, and it says nothing of it. */
  loseLetters(): void {
    for (const { queue } of this.#boxes.values()) queue.length = 0
  }

  /** A letter that nobody of ours wrote. */
  forge(topic: string, payload: Uint8Array): void {
    for (const box of this.#boxes.values()) if (box.topics.has(topic)) this.#put(box, { topic, payload })
  }

  take(letter: Letter): void {
    this.seen.push(letter)
    for (const copy of this.meddle(letter.topic, letter.payload)) this.forge(letter.topic, copy)
  }

  box(id: string): Box {
    const box = this.#boxes.get(id) ?? { topics: new Set(), queue: [], link: undefined, busy: false }
    this.#boxes.set(id, box)
    return box
  }

  leave(link: PostalLink): void {
    this.#links.delete(link)
    const box = this.box(link.id)
    if (box.link === link) box.link = undefined
  }

  /** The connection of this device breaks, and its process with it. */
  hangUp(id: string): void {
    for (const link of [...this.#links]) if (link.id === id) void link.close()
  }

  #greet(link: PostalLink): void {
    if (!this.#open || !this.#links.has(link)) return
    const sessionPresent = this.#boxes.has(link.id)
    const box = this.box(link.id)
    box.link = link
    link.up(sessionPresent)
    void this.#deliver(box)
  }

  #put(box: Box, letter: Letter): void {
    this.#work++
    box.queue.push(letter)
    void this.#deliver(box)
  }

  async #deliver(box: Box): Promise<void> {
    if (box.busy) return
    box.busy = true
    await Promise.resolve()
    while (box.queue.length > 0 && box.link?.isUp === true) {
      const { link } = box
      const handed = box.queue.slice(0, AT_ONCE)
      this.#work += handed.length
      const outcomes = await Promise.allSettled(handed.map((letter) => link.hand(letter)))
      const failed = outcomes.findIndex(({ status }) => status === "rejected")
      const taken = box.link !== link ? [] : handed.slice(0, failed === -1 ? handed.length : failed)
      for (const letter of taken) if (box.queue[0] === letter) box.queue.shift()
      if (failed !== -1) link.lost()
    }
    box.busy = false
  }
}

class PostalLink implements Transport {
  readonly id: string
  readonly #office: PostOffice
  readonly #events: TransportEvents
  /** Asked for again on every connection, as by the real link. */
  readonly #topics = new Set<string>()
  isUp = false
  #closed = false
  #whenUp: (() => void)[] = []
  /** How the letters end that are in the reader's hands when it hangs up. */
  readonly #handing = new Set<() => void>()

  constructor(office: PostOffice, id: string, events: TransportEvents) {
    this.#office = office
    this.id = id
    this.#events = events
  }

  up(sessionPresent: boolean): void {
    this.isUp = true
    for (const topic of this.#topics) this.#office.box(this.id).topics.add(topic)
    for (const go of this.#whenUp.splice(0)) go()
    this.#tell({ kind: "online", sessionPresent, mqttVersion: 5 })
  }

  lost(): void {
    if (!this.isUp) return
    this.isUp = false
    this.#tell({ kind: "offline", why: away() })
  }

  /** Rejects when the reader hangs up before it took the letter. */
  async hand({ topic, payload }: Letter): Promise<void> {
    let giveUp: () => void = () => undefined
    const hungUp = new Promise<never>((_resolve, reject) => (giveUp = () => reject(away())))
    this.#handing.add(giveUp)
    try {
      await Promise.race([this.#events.onFrame(topic, payload), hungUp])
    } finally {
      this.#handing.delete(giveUp)
    }
  }

  publish = async (topic: string, payload: Uint8Array): Promise<void> => {
    await Promise.resolve()
    if (!this.isUp) throw away()
    if (this.#office.refuses()) throw new Fault("refused", "the broker did not take the message")
    this.#office.take({ topic, payload: new Uint8Array(payload) })
    await Promise.resolve()
    // The link may be lost between the letter and its PUBACK.
    if (!this.#office.isOpen) throw away()
  }

  subscribe = (topic: string): Promise<void> =>
    this.#soon(() => {
      this.#topics.add(topic)
      this.#office.box(this.id).topics.add(topic)
    })

  unsubscribe = (topic: string): Promise<void> =>
    this.#soon(() => {
      this.#topics.delete(topic)
      this.#office.box(this.id).topics.delete(topic)
    })

  serverPins = (): readonly Uint8Array[] => []

  close = (): Promise<void> => {
    this.#closed = true
    this.isUp = false
    this.#office.leave(this)
    for (const giveUp of this.#handing) giveUp()
    return Promise.resolve()
  }

  async #soon(act: () => void): Promise<void> {
    if (!this.isUp) await new Promise<void>((resolve) => this.#whenUp.push(resolve))
    act()
  }

  #tell(state: ConnectionState): void {
    if (!this.#closed) this.#events.onState(state)
  }
}

function away(): Fault {
  return new Fault("unavailable", "the post office is closed")
}
