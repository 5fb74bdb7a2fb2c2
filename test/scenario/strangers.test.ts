import { afterAll, beforeAll, expect, test, vi } from "vitest"
import {
  type Authority,
  makeServerCertificate,
  type ServerCertificate,
} from "../../src/broker/certificates.ts"
import { decodeBrokerKeys } from "../../src/cli/broker/keys.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { openFile } from "../../src/keystore/sealed-file.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { setPort } from "../cli/cli-fixture.ts"
import {
  pairedUsers,
  schemaIs,
  ScenarioFixture,
  startBroker,
  initHost,
  type User,
} from "./scenario-fixture.ts"
import {
  answersInTls,
  captivePortal,
  closesAtOnce,
  forwardsTo,
  saysNothing,
  SharedPort,
  type Stranger,
} from "./strangers.ts"

/** A CONNACK of MQTT 5 that says "not authorised", and bytes that are no packet. */
const NOT_AUTHORISED = Uint8Array.of(0x20, 3, 0, 135, 0)
const GARBAGE = new Uint8Array(64).fill(0xf7)
const HOSTS = ["127.0.0.1"]
/** A daemon that is not online after so many looks has given up, however slow the machine is. */
const LOOKS_MAX = 500

const fixture = new ScenarioFixture()
let alice: User
let bob: User
let shared: SharedPort
let broker: Stranger
let otherBroker: Stranger
let authority: Authority
let valid: ServerCertificate
let notYetValid: ServerCertificate

async function portOf(host: User): Promise<number> {
  return Number((await (await startBroker(host)).waitForOutput(schemaIs("broker")))["port"])
}

async function authorityOf(host: User): Promise<Authority> {
  const target = { path: host.file("broker/broker.key"), purpose: "registrar" } as const
  const keys = decodeBrokerKeys((await openFile(target, "", systemRandom)).contents)
  if (keys === undefined) throw new Error("no keys of the broker")
  return keys.authority
}

/** A client checks the pin of the authority, which is the last of the chain. */
function withAuthority({ certificate, key }: ServerCertificate): ServerCertificate {
  return { certificate: `${certificate}\n${authority.caCertificate}`, key }
}

/** What a broker shows to a laptop whose clock is behind by a month. */
function certificateOfNextMonth(): Promise<ServerCertificate> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30 * DAY_MS })
  const made = makeServerCertificate(authority, HOSTS)
  vi.useRealTimers()
  return made
}

beforeAll(async () => {
  const couple = await pairedUsers(fixture)
  ;({ alice, bob } = couple)
  broker = forwardsTo(Number((await couple.broker.waitForOutput(schemaIs("broker")))["port"]))
  const mallory = fixture.user("mallory")
  await initHost(mallory)
  otherBroker = forwardsTo(await portOf(mallory))
  authority = await authorityOf(alice)
  valid = withAuthority(await makeServerCertificate(authority, HOSTS))
  notYetValid = withAuthority(await certificateOfNextMonth())
  shared = await SharedPort.open(broker)
  setPort(bob.file(""), shared.port)
  await bob.start(["daemon"]).prints(/daemon running/)
})
afterAll(async () => {
  shared.close()
  await fixture.end()
})

/** The connection of Bob's daemon once a try has found the broker: another may have ended less than 2 s ago [D-171]. */
async function untilOnline(): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const { connection } = await bob.status()
    if ((connection as { readonly kind: string }).kind === "online") return
  }
  throw new Error("the daemon does not find its broker again")
}

type Case = {
  readonly name: string
  readonly stranger: () => Stranger
  readonly reason: RegExp
  /** How `pair` ends, which can do nothing without the broker. */
  readonly code: number
}

const CASES: readonly Case[] = [
  {
    name: "a captive portal",
    stranger: () => captivePortal,
    reason: /does not speak MQTT over TLS 1\.3 on this port/,
    code: 69,
  },
  {
    name: "a broker with another key",
    stranger: () => otherBroker,
    reason: /does not lead to the key you trusted/,
    code: 76,
  },
  {
    name: "a server that closes at once",
    stranger: () => closesAtOnce,
    reason: /ended the connection at the first bytes of TLS/,
    code: 69,
  },
  {
    name: "a server that says nothing",
    stranger: () => saysNothing,
    reason: /does not answer|has not answered yet/,
    code: 69,
  },
  {
    name: "a certificate that is not valid yet",
    stranger: () => answersInTls(notYetValid, GARBAGE),
    reason: /is not valid yet/,
    code: 76,
  },
  {
    name: "a CONNACK that refuses",
    stranger: () => answersInTls(valid, NOT_AUTHORISED),
    reason: /does not let us in/,
    code: 77,
  },
  {
    name: "bytes that are no MQTT",
    stranger: () => answersInTls(valid, GARBAGE),
    reason: /ended the connection without saying why/,
    code: 69,
  },
]

for (const { name, stranger, reason, code } of CASES) {
  test(`[D-170] [D-171] ${name} on the broker's port ends commands with the reason, and the daemon outlives it`, async () => {
    shared.answerWith(stranger())
    await shared.isTried(2)
    const { connection } = await bob.status()
    expect((connection as { readonly reason: string }).reason).toMatch(reason)
    const sent = await bob.run(["send", "alice", name, "--timeout", "1s"])
    expect([sent.code === 0, sent.stderr]).toEqual([false, expect.stringMatching(reason)])
    expect(sent.stderr).toContain("saved in the outbox")
    const offered = await bob.run(["pair", "--no-qr"])
    expect([offered.code, offered.stderr]).toEqual([code, expect.stringMatching(reason)])
    expect(offered.stderr).toContain("→")

    shared.answerWith(broker)
    await untilOnline()
    expect(await alice.receiveTexts(name)).toEqual([name])
  })
}
