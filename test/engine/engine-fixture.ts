import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

import type { ChatClient, Event, Message } from "../../src/engine/api.ts"
import { openEngine } from "../../src/engine/engine.ts"
import type { BrokerConfig, ProfileConfig, Ports } from "../../src/engine/state/ports.ts"
import type { StepInput } from "../../src/engine/state/update.ts"
import { toBase64url, type Random } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { Fault } from "../../src/errors.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { type FileSystem, nodeFiles } from "../../src/store/files.ts"
import { openStore } from "../../src/store/store.ts"
import { Clock } from "./clock.ts"
import { FakeBroker } from "./fake-broker.ts"
import type { Store } from "../../src/store/message-store.ts"
import type { CommitReport, Write } from "../../src/store/records.ts"
import "../fastest-backend.ts"

const BROKER: BrokerConfig = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } }

/** Users with one fake broker and one clock. */
export class EngineFixture {
  readonly broker = new FakeBroker()
  readonly clock = new Clock()
  /** The source of keys and ids. */
  readonly random: Random

  constructor(random: Random = systemRandom) {
    this.random = random
  }

  /** Of a step that a test makes itself, while no clock was set. */
  get input(): StepInput {
    const now = this.clock.now()
    return { now, wall: now, random: this.random }
  }

  async profile(name: string, ports: Partial<Ports> = {}): Promise<TestProfile> {
    const folder = mkdtempSync(join(tmpdir(), "mqttchat-chat-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const profile = new TestProfile(this, name, folder, ports)
    await profile.start()
    onTestFinished(() => profile.stop())
    return profile
  }

  /** Makes both sides contacts of each other, by a bundle file. */
  async pair(owner: TestProfile, other: TestProfile): Promise<void> {
    const offer = await owner.client.call("pair-offer", { kind: "file", wordCount: 2 })
    if (offer.kind !== "file") throw new Error("not a file")
    await other.client.call("pair-answer", { kind: "file", offer: offer.file })
    await this.clock.pass(100)
  }
}

/** The last message that the broker took for the profile. */
export function lastMessageTo(
  fixture: EngineFixture,
  profile: TestProfile,
): { readonly topic: string; readonly payload: Uint8Array } {
  const message = fixture.broker.seen.findLast(({ topic }) => topic.includes(profile.deviceId))
  if (message === undefined) throw new Error(`nothing was sent to ${profile.name}`)
  return message
}

/** Alice and Bob, who have paired. */
export async function couple(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

/** One profile with its real store; it can be stopped and started like a process. */
export class TestProfile {
  readonly fixture: EngineFixture
  readonly name: string
  readonly identity: IdentityKeys
  readonly deviceId = toBase64url(randomBytes(16))
  readonly events: Event[] = []
  readonly path: string
  readonly #key = randomBytes(32)
  readonly #ports: Partial<Ports>
  #running: { client: ChatClient; store: CrashableStore } | undefined

  constructor(fixture: EngineFixture, name: string, folder: string, ports: Partial<Ports>) {
    this.fixture = fixture
    this.name = name
    this.identity = createIdentity(fixture.random)
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

  async start(ports: Partial<Ports> = {}, files: FileSystem = nodeFiles): Promise<void> {
    const store = crashable(await openStore(this.path, new Uint8Array(this.#key), files))
    const { broker, clock } = this.fixture
    const client = await openEngine({
      store,
      identity: this.identity,
      name: () => this.name,
      connect: broker.connect,
      enroll: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      restore: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      renew: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      invite: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      requestHead: () => Promise.reject(new Fault("refused", "this broker has no registrar")),
      config: configOf({ kind: "account", deviceId: this.deviceId }),
      ...clock.clocks,
      random: this.fixture.random,
      after: (ms, run) => clock.after(ms, () => store.isDead() || run()),
      reach: () => undefined,
      debug: NO_DEBUG,
      ...this.#ports,
      ...ports,
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
    await this.fixture.clock.pass(5_000)
    await closed
    await running.store.close()
  }

  /** Works on the store's file, of a profile that is not running. */
  async edit(work: (path: string, key: Uint8Array) => Promise<void>): Promise<void> {
    await work(this.path, new Uint8Array(this.#key))
  }

  /** The process dies: nothing is closed, nothing more is written. */
  async crash(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.fixture.broker.disconnect(this.deviceId)
    running?.store.crash()
    await running?.store.close()
  }

  /** Whether the disk is full. */
  fillDisk(full: boolean): void {
    this.#running?.store.fill(full)
  }

  /** The disk takes so many commits more, and then it is as if the process had died. */
  diesAfter(commits: number): void {
    this.#running?.store.diesAfter(commits)
  }

  get isDead(): boolean {
    return this.#running?.store.isDead() ?? true
  }

  async send(to: string, text: string): Promise<string> {
    const { id } = await this.client.call("send", { contact: to, text, wait: "queued", timeoutMs: 0 })
    return id
  }

  async read(from: string): Promise<Message[]> {
    const all = await this.client.call("history", { contact: from, limit: 10_000 })
    return all.filter(({ mine, kind }) => !mine && kind === "text")
  }

  async texts(from: string): Promise<string[]> {
    return (await this.read(from)).map(({ text }) => text)
  }

  /** The system messages of the conversation. */
  async systemMessages(about: string): Promise<string[]> {
    const all = await this.client.call("history", { contact: about, limit: 10_000 })
    return all.filter(({ kind }) => kind === "system").map(({ text }) => text)
  }

  async states(to: string): Promise<string[]> {
    const all = await this.client.call("history", { contact: to, limit: 10_000 })
    return all.filter(({ mine }) => mine).map(({ state }) => state)
  }
}

type CrashableStore = Store & {
  readonly crash: () => void
  readonly isDead: () => boolean
  readonly diesAfter: (commits: number) => void
  readonly fill: (full: boolean) => void
}

/** A store that a dead process does not write to: its calls never settle. Its disk can be full. */
function crashable(store: Store): CrashableStore {
  let dead = false
  let full = false
  let commitsLeft = Infinity
  const refused = (): Promise<never> => Promise.reject(new Fault("disk-full", "there is no room on the disk"))
  const never = new Promise<never>(() => undefined)
  async function commitOnce(writes: readonly Write[]): Promise<CommitReport> {
    // The time alone, which is saved each hour, is no step.
    if (writes.some((write) => write.kind !== "setting" || write.key !== "time")) commitsLeft--
    dead ||= commitsLeft <= 0
    const report = await store.commit(writes)
    return dead ? never : report
  }
  return {
    ...store,
    load: () => store.load(),
    history: (contact, page) => (dead ? never : store.history(contact, page)),
    findMessage: (name) => (dead ? never : store.findMessage(name)),
    nextExpiry: () => (dead ? never : store.nextExpiry()),
    unshown: (page) => (dead ? never : store.unshown(page)),
    receivedFrom: (contact, since) => (dead ? never : store.receivedFrom(contact, since)),
    hasFrame: (contact, mid) => (dead ? never : store.hasFrame(contact, mid)),
    commit: (writes) => (dead ? never : full ? refused() : commitOnce(writes)),
    fill: (now) => (full = now),
    diesAfter: (commits) => (commitsLeft = commits),
    crash: () => (dead = true),
    isDead: () => dead,
  }
}

function configOf(credential: StoredCredential): ProfileConfig {
  return {
    broker: () => BROKER,
    credential: () => credential,
    saveBroker: () => Promise.resolve(),
    saveCredential: () => Promise.resolve(),
    saveHints: () => Promise.resolve(),
    reload: () => undefined,
  }
}
