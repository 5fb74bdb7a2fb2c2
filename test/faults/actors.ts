import { mkdirSync } from "node:fs"
import { join } from "node:path"

import { pinOf } from "../../src/broker/certificates.ts"
import type { Authority } from "../../src/broker/certificates.ts"
import type { ChatClient, Message } from "../../src/engine/api.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import type { Device } from "../broker/broker-fixture.ts"
import { openRealEngine } from "../engine/process-fixture.ts"
import type { Direction } from "./invariants.ts"
import type { Store } from "../../src/store/message-store.ts"

const ALL = 10_000

/** What a user knows of a broker: the port and authority of a real one, or of a stand-in. */
export type BrokerLocation = { readonly authority: Authority; readonly folder: string; readonly port: number }

/** A user with a real engine, store and connection, who reaches the broker at one port. */
export class Actor {
  readonly name: string
  readonly promised: string[] = []
  readonly #open: () => Promise<{ client: ChatClient; store: Store }>
  #running: { client: ChatClient; store: Store } | undefined

  /** Time passes `pace` times as fast for the engine. */
  constructor(name: string, location: BrokerLocation, device: Device, pace: number) {
    this.name = name
    const folder = join(location.folder, `${name}-${device.id}`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const pin = toHex(pinOf(location.authority.caCertificate))
    const credentials = { name, port: location.port, pin, device }
    this.#open = () => openRealEngine(credentials, folder, () => undefined, pace)
  }

  get client(): ChatClient {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`)
    return this.#running.client
  }

  get store(): Store {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`)
    return this.#running.store
  }

  async start(): Promise<this> {
    this.#running = await this.#open()
    return this
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.client.close()
    await running?.store.close()
  }

  async send(to: Actor, text: string): Promise<void> {
    await this.client.call("send", { contact: to.name, text, wait: "queued", timeoutMs: 0 })
    this.promised.push(text)
  }

  async history(about: Actor): Promise<Message[]> {
    return this.client.call("history", { contact: about.name, limit: ALL })
  }

  /** Whether all texts sent to them have arrived. */
  async isDone(peer: Actor): Promise<boolean> {
    return (await this.history(peer)).every(({ mine, state }) => !mine || state === "delivered")
  }
}

/** Pairs them by a bundle file, and waits until each has received from the other. */
export async function pairActors(owner: Actor, other: Actor): Promise<void> {
  const offer = await owner.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await other.client.call("pair-answer", { kind: "file", offer: offer.file })
  await until([owner, other], async () => {
    const both = await Promise.all([owner, other].map(({ client }) => client.call("contacts", {})))
    return both[0]?.[0]?.name === other.name && both[1]?.[0]?.name === owner.name
  })
}

/** Resolves when the condition holds; each event of any user checks it again. */
export async function until(actors: readonly Actor[], holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    let stops: (() => void)[] = []
    const event = new Promise<void>((resolve) => {
      stops = actors.map(({ client }) => client.listen(() => resolve()))
    })
    const done = await holds()
    if (!done) await event
    for (const stop of stops) stop()
    if (done) return
  }
}

/** All texts of both have arrived. */
export function untilSettled(one: Actor, other: Actor): Promise<void> {
  return until([one, other], async () => (await one.isDone(other)) && (await other.isDone(one)))
}

export async function direction(from: Actor, to: Actor): Promise<Direction> {
  return {
    from: from.name,
    sent: (await from.history(to)).filter(({ mine }) => mine),
    received: (await to.history(from)).filter(({ mine }) => !mine),
    promised: from.promised,
  }
}
