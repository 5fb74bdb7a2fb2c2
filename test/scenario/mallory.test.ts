import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Authority, pinOf } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { dropsQueue, readsQueue, takesOverClientId } from "../../src/doctor/probe/attack-client-id.ts"
import {
  answersForRegistrar,
  READ_FILTERS,
  readsInbox,
  remembersRefused,
} from "../../src/doctor/probe/attack-read.ts"
import { announcesEndlessPacket, sendsOversized } from "../../src/doctor/probe/attack-size.ts"
import {
  leavesRetained,
  seesNames,
  seesStatistics,
  willsAnywhere,
} from "../../src/doctor/probe/attack-traces.ts"
import { ProbeConnector } from "../../src/doctor/probe/probe-connection.ts"
import {
  isSame,
  runAttack,
  type Probe,
  type Attack,
  type Outcome,
  type Probes,
} from "../../src/doctor/probe/attack-runner.ts"
import { REGISTRATION_REQUESTS, registrationRequestTopic } from "../../src/wire/topics.ts"
import { startPlainAedes } from "../broker/plain-aedes.ts"
import {
  connect,
  mint,
  newId,
  newBrokerFixture,
  optionsFor,
  type TestClient,
  portOf,
  type BrokerFixture,
} from "../broker/broker-fixture.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { rabbitIsMissing, startSingleRabbit, type RabbitWithAuth } from "../rabbit.ts"

const ENDLESS = "announces 256 MB before CONNECT"
const OVERSIZED = "sends far more than the largest message"

/** The attacks that the doctor tries on any broker. */
const CAREFUL: Readonly<Record<string, Attack>> = {
  "reads another inbox by its topic": readsInbox(READ_FILTERS.exact),
  "reads all inboxes of another device": readsInbox(READ_FILTERS.mailboxes),
  "reads everything below the id of another device": readsInbox(READ_FILTERS.tree),
  "reads one mailbox of all devices": readsInbox(READ_FILTERS.devices),
  "reads one mailbox of all branches": readsInbox(READ_FILTERS.everywhere),
  "later receives a topic refused together with a granted one": remembersRefused,
  "answers as the registrar": answersForRegistrar,
  "takes over another session": takesOverClientId,
  "reads the queue of another device": readsQueue,
  "deletes the queue of another device": dropsQueue,
  "sees the connected clients in $SYS": seesNames,
  "sees anything in $SYS": seesStatistics,
  "leaves a retained message in another inbox": leavesRetained,
  "has a will published where publishing is refused": willsAnywhere,
  [OVERSIZED]: sendsOversized,
  [ENDLESS]: announcesEndlessPacket,
}

/** These brokers have no other users, so Mallory may subscribe to everyone's topics. */
const GREEDY: Readonly<Record<string, Attack>> = Object.fromEntries(
  ["#", "mc/#", "mc/1/i/#", "mc/1/i/+/+", "+/+/+/+/+", "mc/1/+/+/+"].map((filter) => [
    `reads ${filter}`,
    readsInbox(() => filter),
  ]),
)

/** aedes knows no shared subscriptions: these succeed on an open Mosquitto only. */
const SHARED: Readonly<Record<string, Attack>> = {
  "shares the subscription of another inbox": readsInbox(READ_FILTERS["shared topic"]),
  "shares all inboxes of another device": readsInbox(READ_FILTERS["shared wildcard"]),
  "shares everything": readsInbox((runner) => `$share/${runner.id()}/#`),
}

/** With a registrar of the broker, which only its common name makes one. */
type RegistrarProbes = Probes & { readonly registrar: Probe }

/** Mallory subscribes to newcomers' requests to the registrar, which receives Alice's. */
const readsRequests = (filter: (id: string) => string): ((probes: RegistrarProbes) => Promise<Outcome>) => {
  return (probes) =>
    runAttack(probes, async (runner) => {
      const [asked, own] = [registrationRequestTopic(probes.alice.id), runner.inbox(probes.mallory)]
      const registrar = await runner.connect(probes.registrar)
      await registrar.subscribe(REGISTRATION_REQUESTS)
      const [alice, mallory] = [await runner.connect(probes.alice), await runner.connect(probes.mallory)]
      await mallory.subscribe(own)
      await mallory.subscribe(filter(probes.alice.id))
      const request = runner.frame(asked)
      await alice.publish(request)
      if ((await registrar.waitFor(isSame(request))) === undefined) return "unclear"
      if (!(await runner.delivers(alice, mallory, own)) && !mallory.hasEnded) return "unclear"
      return mallory.received.some(isSame(request)) ? "succeeds" : "fails"
    })
}

/** Mallory sends the registrar a request on Alice's topic. */
async function asksAsAnother(probes: RegistrarProbes): Promise<Outcome> {
  return runAttack(probes, async (runner) => {
    const registrar = await runner.connect(probes.registrar)
    await registrar.subscribe(REGISTRATION_REQUESTS)
    const [alice, mallory] = [await runner.connect(probes.alice), await runner.connect(probes.mallory)]
    const forged = runner.frame(registrationRequestTopic(probes.alice.id))
    await mallory.publish(forged)
    if (!(await runner.delivers(alice, registrar, forged.topic))) return "unclear"
    return registrar.received.some(isSame(forged)) ? "succeeds" : "fails"
  })
}

type RegistrarAttack = (probes: RegistrarProbes) => Promise<Outcome>

const AGAINST_REGISTRAR: Readonly<Record<string, RegistrarAttack>> = {
  "receives the requests of newcomers": readsRequests(() => REGISTRATION_REQUESTS),
  "receives the request of one newcomer": readsRequests((id) => registrationRequestTopic(id)),
  "asks the registrar as another device": asksAsAnother,
}

const OPENLY: Readonly<Record<string, RegistrarAttack>> = { ...CAREFUL, ...GREEDY, ...AGAINST_REGISTRAR }
const ALL: Readonly<Record<string, RegistrarAttack>> = { ...OPENLY, ...SHARED }

/** Alice, Mallory and the registrar, each with a valid certificate of the same authority. */
async function probesAt(port: number, authority: Authority): Promise<RegistrarProbes> {
  const probeFor = async (name: string): Promise<Probe> => {
    const { id, certificate, key } = await mint(authority, name)
    const connector = new ProbeConnector({
      address: { host: "127.0.0.1", port },
      trust: { kind: "pin", pin: pinOf(authority.caCertificate) },
      credential: { kind: "device", deviceId: id, certificate, key },
    })
    return { id, connector }
  }
  const [alice, mallory] = [await probeFor(newId()), await probeFor(newId())]
  return { alice, mallory, registrar: await probeFor("registrar"), random: systemRandom }
}

const WRITERS = 30
const WRITES_EACH = 120

/**
 * Mallory subscribes, stops reading, and has thirty others write 29 MB to it. Bob still receives Alice's messages, or
 * this never ends; test/broker/aedes-defects.test.ts shows that it never ends on aedes.
 */
async function stopsReading(port: number, authority: Authority): Promise<readonly string[]> {
  const join = async (): Promise<TestClient & { readonly inbox: string }> => {
    const device = await mint(authority, newId())
    const client = await connect(optionsFor({ authority }, port, device))
    return { ...client, inbox: `mc/1/i/${device.id}/${newId()}` }
  }
  const mallory = await join()
  await mallory.client.subscribeAsync(mallory.inbox, { qos: 0 })
  mallory.client.stream.pause()
  const writers = await Promise.all(Array.from({ length: WRITERS }, join))
  for (const { client } of writers)
    for (let i = 0; i < WRITES_EACH; i++) client.publish(mallory.inbox, "x".repeat(8_000), { qos: 0 })
  const [alice, bob] = [await join(), await join()]
  await bob.client.subscribeAsync(bob.inbox, { qos: 1 })
  // not even the clients that wrote to Mallory wait
  for (const { client } of [alice, writers[0] ?? alice])
    await client.publishAsync(bob.inbox, "as ever", { qos: 1 })
  const received = (await bob.waitFor(2)).map((line) => line.replace(bob.inbox, "to Bob:"))
  for (const { client } of [mallory, alice, bob, ...writers]) await client.endAsync(true)
  return received
}

/** Every attack against one broker, each expected to fail (or to succeed) on its own. */
function allAttacks(
  attacks: Readonly<Record<string, RegistrarAttack>>,
  probes: () => RegistrarProbes,
  wanted: Outcome,
): void {
  test.each(Object.entries(attacks))("%s", async (_name, attack) => {
    expect(await attack(probes())).toBe(wanted)
  })
}

describe("Mallory has a valid certificate of the same broker", () => {
  let fixture: BrokerFixture
  beforeAll(async () => (fixture = await newBrokerFixture()))
  afterAll(() => fixture.end())

  describe("and on plain aedes", () => {
    let probes: RegistrarProbes
    beforeAll(async () => {
      const { port, close } = await startPlainAedes(fixture.authority, {
        authorizePublish: (_client, _packet, done) => done(null),
        authorizeSubscribe: (_client, filter, done) => done(null, filter),
      })
      probes = await probesAt(port, fixture.authority)
      return close
    })
    allAttacks(OPENLY, () => probes, "succeeds")
  })

  test("and on aedes with our rules in its hooks, a refused subscription is remembered", async () => {
    const { port, close } = await startPlainAedes(fixture.authority)
    expect(await remembersRefused(await probesAt(port, fixture.authority))).toBe("succeeds")
    await close()
  })

  describe("but in vain on our broker", () => {
    let probes: RegistrarProbes
    let others: RegistrarProbes
    let port: number
    beforeAll(async () => {
      port = portOf(await fixture.start())
      probes = await probesAt(port, fixture.authority)
      // The broker slows down a certificate that has connected so often.
      others = await probesAt(port, fixture.authority)
    })
    allAttacks(OPENLY, () => probes, "fails")
    allAttacks(SHARED, () => others, "fails")

    test("stops reading, and no other client has to wait", async () => {
      expect(await stopsReading(port, fixture.authority)).toEqual(["to Bob: as ever", "to Bob: as ever"])
    })
  })
})

describe.skipIf(mosquittoIsMissing())("Mallory is a member of a Mosquitto", () => {
  describe("that is open", () => {
    let probes: RegistrarProbes
    beforeAll(async () => {
      const { port, authority, close } = await startMosquitto("open")
      probes = await probesAt(port, authority)
      return close
    })
    allAttacks(SHARED, () => probes, "succeeds")
  })

  describe("with the files that we ship, and tries in vain", () => {
    let broker: Mosquitto
    let probes: RegistrarProbes
    beforeAll(async () => {
      broker = await startMosquitto("shipped")
      probes = await probesAt(broker.port, broker.authority)
      return broker.close
    })
    allAttacks(ALL, () => probes, "fails")

    test("stops reading, and no other client has to wait", async () => {
      const received = await stopsReading(broker.port, broker.authority)
      expect(received).toEqual(["to Bob: as ever", "to Bob: as ever"])
    })
  })
})

describe.skipIf(rabbitIsMissing())(
  "Mallory is a member of a RabbitMQ with the files that we ship, and",
  () => {
    let broker: RabbitWithAuth
    let probes: RegistrarProbes
    beforeAll(async () => {
      broker = await startSingleRabbit()
      probes = await probesAt(broker.port, broker.authority)
      for (const { id } of [probes.alice, probes.mallory]) broker.devices.add(id)
      return broker.close
    })
    const {
      [ENDLESS]: endless = announcesEndlessPacket,
      [OVERSIZED]: oversized = sendsOversized,
      ...others
    } = ALL
    allAttacks(others, () => probes, "fails")

    // Both wait for a broker that hangs up late, and the second never logs in.
    test.concurrent(OVERSIZED, async () => {
      expect(await oversized(probes)).toBe("fails")
    })

    test.concurrent(`${ENDLESS}, which only a later version can refuse`, async () => {
      const isOld = broker.control("version").startsWith("3.10.")
      expect(await endless(probes)).toBe(isOld ? "succeeds" : "fails")
    })
  },
)
