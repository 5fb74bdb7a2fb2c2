import { once } from "node:events"
import { createRequire } from "node:module"
import { connect as connectTls } from "node:tls"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { type PlainAedes, startPlainAedes } from "./plain-aedes.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  type TestClient,
  portOf,
  type BrokerFixture,
} from "./broker-fixture.ts"
import { until } from "../until.ts"

type MemoryPersistence = {
  subscriptionsByTopic: (topic: string) => Promise<unknown>
  outgoingEnqueueCombi: (...parts: unknown[]) => Promise<void>
}

/** A dependency of aedes, not ours, so it is resolved from the folder of aedes. */
const aedesMemory = createRequire(createRequire(import.meta.url).resolve("aedes"))(
  "aedes-persistence",
) as () => MemoryPersistence

describe("defects of aedes 1.2, each tried on plain aedes and on our broker", () => {
  let fixture: BrokerFixture
  let ours: Broker
  let alice: Device
  let bob: Device
  let mallory: Device
  const plains: PlainAedes[] = []

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    ours = await fixture.start()
  })
  afterEach(async () => {
    for (const plain of plains.splice(0)) await plain.close()
  })
  afterAll(() => fixture.end())

  async function newDevices(): Promise<void> {
    alice = await fixture.device()
    bob = await fixture.device()
    mallory = await fixture.device()
  }

  async function plain(options: Parameters<typeof startPlainAedes>[1] = {}): Promise<PlainAedes> {
    const started = await startPlainAedes(fixture.authority, options)
    plains.push(started)
    return started
  }

  function join(port: number, device: Device): Promise<TestClient> {
    return connect(optionsFor(fixture, port, device))
  }

  const inbox = (device: Device, mailbox: string): string => `mc/1/i/${device.id}/${mailbox}`

  describe("1. a refused filter that travels with a granted one", () => {
    async function malloryReadsBobsMail(port: number): Promise<boolean> {
      await newDevices()
      const [own, bobs] = [inbox(mallory, newId()), inbox(bob, newId())]
      const before = await join(port, mallory)
      const granted = await before.client.subscribeAsync([own, bobs], { qos: 1 }).catch(() => "refused")
      expect(granted).toBe("refused")
      await before.client.endAsync()
      const atAlice = await join(port, alice)
      await atAlice.client.publishAsync(bobs, "secret", { qos: 1 })
      await atAlice.client.publishAsync(own, "marker", { qos: 1 })
      const after = await join(port, mallory)
      while (!after.received.includes(`${own} marker`)) await after.waitFor(after.received.length + 1)
      await after.client.endAsync()
      await atAlice.client.endAsync()
      return after.received.includes(`${bobs} secret`)
    }

    test("gives away another client's messages on aedes, and not on ours", async () => {
      expect(await malloryReadsBobsMail((await plain()).port)).toBe(true)
      expect(await malloryReadsBobsMail(portOf(ours))).toBe(false)
    })
  })

  describe("2. PUBACK for a message that could not be stored", () => {
    async function isAcknowledged(port: number, device: Device, topic: string): Promise<boolean> {
      const atAlice = await join(port, device)
      const acknowledged = atAlice.client.publishAsync(topic, "x".repeat(60_000), { qos: 1 }).then(() => true)
      const answer = await Promise.race([acknowledged, atAlice.closed.then(() => false)])
      await atAlice.client.endAsync(true)
      return answer
    }

    test("comes from aedes, and not from ours, which keeps all that it acknowledged", async () => {
      await newDevices()
      const topic = inbox(bob, newId())
      const persistence = aedesMemory()
      persistence.outgoingEnqueueCombi = () => Promise.reject(new Error("the disk is full"))
      const careless = await plain({ persistence })
      expect(await isAcknowledged(careless.port, alice, topic)).toBe(true)

      const small = await fixture.spawn(0, { limitKiB: 200 })
      const atBob = await join(small.port, bob)
      await atBob.client.subscribeAsync(topic, { qos: 1 })
      await atBob.client.endAsync()
      let acknowledged = 0
      while (await isAcknowledged(small.port, alice, topic)) acknowledged += 1
      expect(acknowledged).toBeGreaterThan(0)
      expect(small.output).toContain("trouble disk-full")
      await small.end("SIGKILL")
      const roomy = await fixture.spawn(0)
      const again = await join(roomy.port, bob)
      await again.waitFor(acknowledged)
      expect(await isAcknowledged(roomy.port, alice, topic)).toBe(true)
      await again.waitFor(acknowledged + 1)
      await again.client.endAsync()
      await roomy.end("SIGTERM")
    })
  })

  describe("3. and 4. messages of several senders to one device that is online", () => {
    type Harm = { missing: number; disorder: number }

    /** `delivered` resolves when the broker has delivered all it will. */
    async function send(port: number, delivered: (atBob: TestClient) => Promise<unknown>): Promise<Harm> {
      await newDevices()
      const atBob = await join(port, bob)
      await atBob.client.subscribeAsync(`mc/1/i/${bob.id}/+`, { qos: 1 })
      const senders = await Promise.all([0, 1, 2, 3].map(async () => join(port, await fixture.device())))
      const mailboxes = senders.map(() => inbox(bob, newId()))
      const sent = senders.map(async ({ client }, s) => {
        for (let n = 0; n < 100; n += 10) {
          const burst = Array.from({ length: 10 }, (_, i) =>
            client.publishAsync(mailboxes[s] ?? "", String(n + i), { qos: 1 }),
          )
          await Promise.all(burst)
        }
      })
      await Promise.all(sent)
      await delivered(atBob)
      for (const { client } of [...senders, atBob]) await client.endAsync(true)
      return harmOf(atBob.received, mailboxes)
    }

    function harmOf(received: readonly string[], mailboxes: readonly string[]): Harm {
      const harm = { missing: 0, disorder: 0 }
      for (const mailbox of mailboxes) {
        const numbers = received
          .filter((line) => line.startsWith(mailbox))
          .map((line) => Number(line.split(" ")[1]))
        harm.missing += 100 - new Set(numbers).size
        harm.disorder += numbers.filter((n, i) => n < (numbers[i - 1] ?? 0)).length
      }
      return harm
    }

    /** A store on a disk takes time: here every other lookup takes a little longer. */
    function slowPersistence(): MemoryPersistence {
      const persistence = aedesMemory()
      const lookUp = persistence.subscriptionsByTopic.bind(persistence)
      let lookups = 0
      persistence.subscriptionsByTopic = async (topic) => {
        if (++lookups % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        return lookUp(topic)
      }
      return persistence
    }

    /** Aedes with that store; after 400 publishes it has written to Bob, ahead of the answer to a SUBSCRIBE. */
    async function sendOnAedes(more: Parameters<typeof startPlainAedes>[1]): Promise<Harm> {
      let published = 0
      let all: () => void
      const done = new Promise<void>((resolve) => (all = resolve))
      const careless = await plain({
        ...more,
        persistence: slowPersistence(),
        published: (packet, _client, next) => {
          if (packet.topic.startsWith("mc/1/i/") && ++published === 400) all()
          next(null)
        },
      })
      return send(careless.port, async (atBob) => {
        await done
        // It may even disconnect Bob, because it mixes up which message it dropped.
        await Promise.race([atBob.client.subscribeAsync("mc/1/p/1", { qos: 0 }), atBob.closed])
      })
    }

    test("are lost on aedes with a store that takes time", async () => {
      expect((await sendOnAedes({})).missing).toBeGreaterThan(0)
    })

    test("lose their order on aedes even where none is lost", async () => {
      const harm = await sendOnAedes({
        preConnect: (client, _packet, done) => {
          Object.assign(client, { duplicates: new Proxy({}, { get: () => 0, set: () => true }) })
          done(null, true)
        },
      })
      expect(harm).toMatchObject({ missing: 0 })
      expect(harm.disorder).toBeGreaterThan(0)
    })

    test("all arrive on ours, each sender's in order", async () => {
      expect(await send(portOf(ours), (atBob) => atBob.waitFor(400))).toEqual({ missing: 0, disorder: 0 })
    })
  })

  describe("5. one subscriber that does not read", () => {
    /** Mallory subscribes and stops reading; thirty others write to Mallory. */
    async function freeze(port: number): Promise<{ eve: TestClient; thaw: () => Promise<void> }> {
      await newDevices()
      const atMallory = await join(port, mallory)
      const topic = inbox(mallory, newId())
      await atMallory.client.subscribeAsync(topic, { qos: 0 })
      atMallory.client.stream.pause()
      const eves = await Promise.all(
        Array.from({ length: 30 }, async () => join(port, await fixture.device())),
      )
      // More than the socket buffers hold, so that aedes waits for the reader with a hundred messages.
      for (const { client } of eves) {
        for (let i = 0; i < 120; i++) client.publish(topic, "x".repeat(8_000), { qos: 0 })
      }
      const thaw = async (): Promise<void> => {
        for (const { client } of [...eves, atMallory]) await client.endAsync(true)
      }
      return { eve: eves[0] ?? atMallory, thaw }
    }

    test("stops every client on aedes, and none on ours", async () => {
      const careless = await plain()
      const { thaw } = await freeze(careless.port)
      const backlog = (): number => (careless.aedes as unknown as { mq: { length: number } }).mq.length
      await until(() => backlog() > 0)
      await thaw()

      const frozen = await freeze(portOf(ours))
      const atBob = await join(portOf(ours), bob)
      const topic = inbox(bob, newId())
      await atBob.client.subscribeAsync(topic, { qos: 1 })
      const atAlice = await join(portOf(ours), alice)
      // Not even the clients that wrote to Mallory wait.
      for (const { client } of [atAlice, frozen.eve]) await client.publishAsync(topic, "as ever", { qos: 1 })
      expect(await atBob.waitFor(2)).toEqual([`${topic} as ever`, `${topic} as ever`])
      for (const { client } of [atAlice, atBob]) await client.endAsync()
      await frozen.thaw()
    })
  })

  describe("6. a packet without end, before CONNECT", () => {
    const ENDLESS = Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])

    async function isSwallowed(port: number): Promise<boolean> {
      const socket = connectTls({ host: "127.0.0.1", port, ca: fixture.authority.caCertificate })
      await once(socket, "secureConnect")
      socket.on("error", () => undefined)
      const ended = new Promise<boolean>((done) => socket.once("close", () => done(false)))
      socket.resume()
      socket.write(ENDLESS)
      const swallowed = (async () => {
        for (let i = 0; i < 32; i++)
          await new Promise((sent) => socket.write(Buffer.alloc(1024 * 1024), sent))
        return !socket.destroyed
      })()
      const answer = await Promise.race([swallowed, ended])
      socket.destroy()
      return answer
    }

    test("is buffered by aedes, and ends the connection on ours", async () => {
      expect(await isSwallowed((await plain()).port)).toBe(true)
      expect(await isSwallowed(portOf(ours))).toBe(false)
    })
  })

  describe("7. the client id of another client", () => {
    async function takesOverAlice(port: number, intruder: Device | undefined): Promise<boolean> {
      const atAlice = await join(port, alice)
      const topic = inbox(alice, newId())
      await atAlice.client.subscribeAsync(topic, { qos: 1 })
      const impostor = { ...optionsFor(fixture, port, intruder), clientId: alice.id, clean: false }
      const taken = await connect(impostor).catch(() => undefined)
      const isOut =
        taken !== undefined && (await Promise.race([atAlice.closed, aliceReceives(port, atAlice, topic)]))
      await taken?.client.endAsync(true)
      await atAlice.client.endAsync(true)
      return isOut === "closed"
    }

    async function aliceReceives(port: number, atAlice: TestClient, topic: string): Promise<string> {
      const atBob = await join(port, bob)
      await atBob.client.publishAsync(topic, "still there?", { qos: 1 })
      await atAlice.waitFor(1)
      await atBob.client.endAsync()
      return "heard"
    }

    test("takes over her session on aedes, and not on ours, with a certificate or as a guest", async () => {
      await newDevices()
      const careless = await plain()
      expect(await takesOverAlice(careless.port, mallory)).toBe(true)
      expect(await takesOverAlice(portOf(ours), mallory)).toBe(false)
      expect(await takesOverAlice(portOf(ours), undefined)).toBe(false)
    })
  })

  describe("8. $SYS, where aedes publishes who subscribes to what", () => {
    async function watch(port: number): Promise<boolean> {
      await newDevices()
      const atMallory = await join(port, mallory)
      const granted = await atMallory.client.subscribeAsync("$SYS/#", { qos: 0 }).catch(() => undefined)
      await atMallory.client.endAsync(true)
      return granted !== undefined
    }

    test("can be watched on aedes, and not on ours", async () => {
      const open = await plain({ authorizeSubscribe: (_client, filter, done) => done(null, filter) })
      expect(await watch(open.port)).toBe(true)
      expect(await watch(portOf(ours))).toBe(false)
    })
  })
})
