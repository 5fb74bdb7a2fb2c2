import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import { makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import type { ConnectTarget } from "../../src/transport/transport.ts"
import { newBrokerFixture, type BrokerFixture } from "../broker/broker-fixture.ts"
import { CONNACK, startScriptedServer } from "./scripted-servers.ts"
import { faultOf, openTransport } from "./transport-fixture.ts"

let fixture: BrokerFixture

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

/** Alice, at a server that answers each CONNECT in this way. */
async function answering(answer: Parameters<typeof startScriptedServer>[1]) {
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const server = await startScriptedServer({ cert: chain, key }, answer)
  const alice = await fixture.device()
  const target: ConnectTarget = {
    address: { host: "127.0.0.1", port: server.port },
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: alice.id, certificate: alice.certificate, key: alice.key },
    mqttVersion: 4,
  }
  const client = openTransport(target)
  onTestFinished(async () => {
    await client.close()
    await server.close()
  })
  return { client, inbox: `mc/1/i/${alice.id}/${"A".repeat(22)}` }
}

/** Waits of these lengths are over at once; `waits` has what was asked for. */
function withoutWaiting(isShort: (ms: number) => boolean): number[] {
  const waits: number[] = []
  const real = globalThis.setTimeout
  const quick = (run: (...values: unknown[]) => void, ms = 0): NodeJS.Timeout => {
    if (isShort(ms)) waits.push(ms)
    return real(run, isShort(ms) ? 0 : ms)
  }
  vi.spyOn(globalThis, "setTimeout").mockImplementation(quick as typeof setTimeout)
  onTestFinished(() => void vi.restoreAllMocks())
  return waits
}

const CUTS = 20
/** Of the pauses after cuts; those after other failures grow to a minute. */
const PAUSE_AFTER_CUT_MAX_MS = 4_000

/** Of a transport that waits: no other timer of a connection has such a length, save these. */
function isPause(ms: number): boolean {
  return ms >= 125 && ms <= 60_000 && ![500, 8_000, 10_000].includes(ms)
}

test("[D-172] cuts at each connect, before or after CONNACK, are followed by pauses of 4 s at most", async () => {
  const pauses = withoutWaiting(isPause)
  let tries = 0
  const { client } = await answering((_level, socket) => {
    tries += 1
    if (tries > CUTS) return CONNACK(0)
    if (tries % 2 === 0) return undefined
    setImmediate(() => socket.destroy())
    return CONNACK(0)
  })
  await vi.waitFor(() => expect(tries).toBe(CUTS + 1), { timeout: 20_000 })
  await client.state("online")
  expect(pauses.length).toBeGreaterThanOrEqual(CUTS / 2)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(PAUSE_AFTER_CUT_MAX_MS)
})

/** The first byte of PINGREQ (section 3.12). */
const PINGREQ = 0xc0

test("[D-173] a broker that takes a text and answers nothing is asked, and left", async () => {
  withoutWaiting((ms) => ms === 8_000)
  const received: Buffer[] = []
  const { client, inbox } = await answering((_level, socket) => {
    socket.on("data", (bytes: Buffer) => received.push(bytes))
    return CONNACK(0)
  })
  await client.state("online")
  const why = await faultOf(client.publish(inbox, Buffer.from("hello")))
  expect(why.code).toBe("unavailable")
  expect((await client.state("offline")).why.message).toContain("does not answer")
  expect(received.some((bytes) => bytes.includes(PINGREQ))).toBe(true)
})
