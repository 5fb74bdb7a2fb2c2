import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

import type { ChatClient, Event, Message } from "../../src/chat/api.ts"
import { openEngine } from "../../src/chat/engine.ts"
import type { BrokerHome, Home, Ports } from "../../src/chat/ports.ts"
import { toBase64url, type Random } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import type { Store } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { Clock } from "./clock.ts"
import { PostOffice } from "./post-office.ts"

const BROKER: BrokerHome = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } }

/** A town with one post office and one clock. */
export class Town {
  readonly office = new PostOffice()
  readonly clock = new Clock()
  /** Where keys and ids come from. */
  readonly random: Random

  constructor(random: Random = systemRandom) {
    this.random = random
  }

  async person(name: string, ports: Partial<Ports> = {}): Promise<Person> {
    const folder = mkdtempSync(join(tmpdir(), "mqttchat-chat-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const person = new Person(this, name, folder, ports)
    await person.start()
    onTestFinished(() => person.stop())
    return person
  }

  /** Both sides have the other as a contact, by a bundle file. */
  async pair(owner: Person, other: Person): Promise<void> {
    const offer = await owner.client.call("pair-offer", { by: "file", words: 2 })
    if (offer.by !== "file") throw new Error("not a file")
    await other.client.call("pair-answer", { by: "file", carrier: offer.file })
    await this.clock.pass(100)
  }
}

/** Alice and Bob, who have paired. */
export async function couple(): Promise<{ town: Town; alice: Person; bob: Person }> {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  await town.clock.pass(50)
  return { town, alice, bob }
}

/** One profile with its real store; it can be stopped and started like a process. */
export class Person {
  readonly town: Town
  readonly name: string
  readonly identity: IdentityKeys
  readonly deviceId = toBase64url(randomBytes(16))
  readonly events: Event[] = []
  readonly path: string
  readonly #key = randomBytes(32)
  readonly #ports: Partial<Ports>
  #running: { client: ChatClient; store: MortalStore } | undefined

  constructor(town: Town, name: string, folder: string, ports: Partial<Ports>) {
    this.town = town
    this.name = name
    this.identity = createIdentity(town.random)
    this.path = join(folder, "messages.db")
    this.#ports = ports
  }

  get client(): ChatClient {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`)
    return this.#running.client
  }

  get store(): Store {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`)
    return this.#running.store
  }

  async start(): Promise<void> {
    const store = mortal(await openStore(this.path, new Uint8Array(this.#key)))
    const { office, clock } = this.town
    const client = await openEngine({
      store,
      identity: this.identity,
      name: this.name,
      connect: office.connect,
      enroll: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      restore: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      renew: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      invite: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      home: homeOf({ kind: "account", deviceId: this.deviceId }),
      now: clock.now,
      random: this.town.random,
      after: (ms, run) => clock.after(ms, () => store.isDead() || run()),
      reach: () => undefined,
      ...this.#ports,
    })
    client.listen((event) => this.events.push(event))
    this.#running = { client, store }
    await clock.pass(10)
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running === undefined) return
    const closed = running.client.close()
    await this.town.clock.pass(5_000)
    await closed
    await running.store.close()
  }

  /** The process dies: nothing is said goodbye to, nothing more is written. */
  async die(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.town.office.hangUp(this.deviceId)
    running?.store.die()
    await running?.store.close()
  }

  /** Whether the disk has no room any more. */
  fillDisk(full: boolean): void {
    this.#running?.store.fill(full)
  }

  async send(to: string, text: string): Promise<string> {
    const { id } = await this.client.call("send", { to, text, wait: "disk", timeoutMs: 0 })
    return id
  }

  async read(from: string): Promise<Message[]> {
    const all = await this.client.call("history", { with: from, limit: 10_000 })
    return all.filter(({ mine, kind }) => !mine && kind === "text")
  }

  async texts(from: string): Promise<string[]> {
    return (await this.read(from)).map(({ text }) => text)
  }

  /** What happened to the conversation. */
  async lines(about: string): Promise<string[]> {
    const all = await this.client.call("history", { with: about, limit: 10_000 })
    return all.filter(({ kind }) => kind === "line").map(({ text }) => text)
  }

  async states(to: string): Promise<string[]> {
    const all = await this.client.call("history", { with: to, limit: 10_000 })
    return all.filter(({ mine }) => mine).map(({ state }) => state)
  }
}

type MortalStore = Store & {
  readonly die: () => void
  readonly isDead: () => boolean
  readonly fill: (full: boolean) => void
}

/** A store that a dead process does not write to: whoever waits for it waits for ever. Its disk can be full. */
function mortal(store: Store): MortalStore {
  let dead = false
  let full = false
  const refused = (): Promise<never> => Promise.reject(new Fault("disk-full", "there is no room on the disk"))
  const never = new Promise<never>(() => undefined)
  return {
    ...store,
    load: () => store.load(),
    history: (contact, limit) => (dead ? never : store.history(contact, limit)),
    findMessage: (contact, mid) => (dead ? never : store.findMessage(contact, mid)),
    nextExpiry: () => (dead ? never : store.nextExpiry()),
    unshown: () => (dead ? never : store.unshown()),
    hasMessage: (contact, mid) => (dead ? never : store.hasMessage(contact, mid)),
    commit: (writes) => (dead ? never : full ? refused() : store.commit(writes)),
    fill: (now) => (full = now),
    die: () => (dead = true),
    isDead: () => dead,
  }
}

function homeOf(credential: StoredCredential): Home {
  return {
    broker: () => BROKER,
    credential: () => credential,
    saveBroker: () => Promise.resolve(),
    saveCredential: () => Promise.resolve(),
    saveLearnt: () => Promise.resolve(),
  }
}
