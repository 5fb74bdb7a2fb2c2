import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import type { ConnectTarget } from "../../src/transport/transport.ts"
import { registrationAnswerTopic } from "../../src/wire/topics.ts"
import {
  connect,
  newBrokerFixture,
  optionsFor,
  portOf,
  type BrokerFixture,
} from "../broker/broker-fixture.ts"
import { codeOf } from "../../src/errors.ts"
import { openTransport, type TransportFixture } from "./transport-fixture.ts"

const TAKEN_OVER = 142
/** Those of a connection that are as long: half-open watch, stable connection, keep-alive, and what mqtt.js waits for. */
const OTHER_TIMERS = [8_000, 10_000, 27_001, 30_000]
let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

/** A program with these keys, at an embedded broker. */
async function programsOf(count: number) {
  const broker = await fixture.start()
  const alice = await fixture.device()
  const target: ConnectTarget = {
    address: { host: "127.0.0.1", port: portOf(broker) },
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: alice.id, certificate: alice.certificate, key: alice.key },
  }
  const programs: TransportFixture[] = []
  for (let n = 0; n < count; n++) {
    const program = openTransport(target)
    onTestFinished(() => program.close())
    await program.state("online")
    programs.push(program)
  }
  return { broker, alice, programs }
}

/** The lengths of the waits from here on that are as long as pauses after a takeover; they are over at once. */
function pausesWithoutWaiting(): number[] {
  const pauses: number[] = []
  const real = globalThis.setTimeout
  const quick = (run: (...values: unknown[]) => void, ms = 0): NodeJS.Timeout => {
    const isPause = ms >= 2_000 && ms <= 300_000 && !OTHER_TIMERS.includes(ms)
    if (isPause) pauses.push(ms)
    return real(run, isPause ? 20 : ms)
  }
  vi.spyOn(globalThis, "setTimeout").mockImplementation(quick as typeof setTimeout)
  onTestFinished(() => void vi.restoreAllMocks())
  return pauses
}

const reasons = ({ states }: TransportFixture) =>
  states.flatMap((state) => (state.kind === "offline" ? [state.why] : []))

test("[D-179] a copy of the folder takes the session over: the loser says why, and what to do [W-12]", async () => {
  const { programs } = await programsOf(2)
  const [first] = programs as [TransportFixture]
  const { why } = await first.state("offline")
  expect(why.message).toContain("let another program in with the keys of this profile")
  expect(why.hint).toContain("stop the other")
  expect(codeOf(why.cause)).toBe(TAKEN_OVER)
})

test("[D-179] two such programs end each other's connections ever more slowly, up to five minutes", async () => {
  const pauses = pausesWithoutWaiting()
  const { programs } = await programsOf(2)
  await vi.waitFor(() => expect(pauses.length).toBeGreaterThan(16), { timeout: 20_000 })
  const early = pauses.slice(0, 2)
  expect(Math.max(...early)).toBeLessThanOrEqual(8_000)
  expect(Math.max(...pauses)).toBeGreaterThanOrEqual(128_000)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(300_000)
  expect(programs.flatMap(reasons).every(({ cause }) => codeOf(cause) === TAKEN_OVER)).toBe(true)
})

test("[D-171] a command that asks does not wait for the pause", async () => {
  const { programs } = await programsOf(2)
  const [first, second] = programs as [TransportFixture, TransportFixture]
  await first.state("offline")
  first.transport.retry()
  await first.state("online")
  await second.state("offline")
})

test("only the broker says so: another device may not publish there, and a longer answer is one [W-12]", async () => {
  const { broker, alice, programs } = await programsOf(1)
  const [program] = programs as [TransportFixture]
  const mallory = await connect(optionsFor(fixture, portOf(broker), await fixture.device()))
  await mallory.client
    .publishAsync(registrationAnswerTopic(alice.id), Buffer.of(TAKEN_OVER))
    .catch(() => undefined)
  await mallory.client.endAsync(true)
  await program.listen(`mc/1/i/${alice.id}/${"A".repeat(22)}`, () => undefined)
  await program.publish(`mc/1/i/${alice.id}/${"A".repeat(22)}`, Buffer.of(TAKEN_OVER))
  await program.frame()
  expect(reasons(program)).toEqual([])
})
