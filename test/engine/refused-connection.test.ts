import { expect, test } from "vitest"
import { Fault } from "../../src/errors.ts"
import type { Connect, Transport } from "../../src/transport/transport.ts"
import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const PORTAL = new Fault("protocol", "shows a certificate that does not lead to the key you trusted")

/** A transport that something else than the broker has answered. */
function refusedBy(why: Fault): Transport {
  const fail = () => Promise.reject(why)
  const done = () => Promise.resolve()
  return {
    ...{ publish: fail, subscribe: fail, unsubscribe: done, close: done },
    serverPins: () => [],
    retry: () => undefined,
  }
}

/** Alice, with a stranger on her broker's port, and how often she has tried. */
async function behindPortal(fixture = new EngineFixture()) {
  const tries: number[] = []
  let isPortal = true
  const connect: Connect = (target, events) => {
    tries.push(fixture.clock.now())
    if (!isPortal) return fixture.broker.connect(target, events)
    fixture.clock.after(1, () => events.onState({ kind: "stopped", why: PORTAL }))
    return refusedBy(PORTAL)
  }
  const alice = await fixture.profile("alice", { connect })
  return { fixture, alice, tries, leave: () => (isPortal = false) }
}

async function connectionOf({ client }: TestProfile): Promise<string> {
  return (await client.call("status", {})).connection.kind
}

function linesAbout({ events }: TestProfile): readonly string[] {
  return events.flatMap((event) => (event.kind === "connection" ? [event.connection.kind] : []))
}

test("[D-170] a stranger on the port is told of once, and tried ever more slowly up to every five minutes", async () => {
  const { fixture, alice, tries } = await behindPortal()
  expect(linesAbout(alice)).toEqual(["stopped"])
  await fixture.clock.pass(60 * MINUTE_MS)
  expect(linesAbout(alice)).toEqual(["stopped"])
  const pauses = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
  expect(pauses[0]).toBeLessThanOrEqual(1_000)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(5 * MINUTE_MS)
  expect(pauses.length).toBeLessThan(40)
  expect(pauses.length).toBeGreaterThan(15)
})

test("[D-170] a stranger who leaves after two seconds costs two more", async () => {
  const { fixture, alice, leave } = await behindPortal()
  await fixture.clock.pass(2_000)
  leave()
  await fixture.clock.pass(4_000)
  expect(linesAbout(alice)).toEqual(["stopped", "online"])
})

test("[D-171] a command that asks is answered by a try, and not by the reason of an hour ago", async () => {
  const { fixture, alice, tries, leave } = await behindPortal()
  await fixture.clock.pass(60 * MINUTE_MS)
  const before = tries.length
  const asked = connectionOf(alice)
  await fixture.clock.pass(1)
  expect(await asked).toBe("stopped")
  expect(tries.length).toBe(before + 1)
  await fixture.clock.pass(3_000)
  leave()
  expect(await connectionOf(alice)).toBe("online")
})

test("[D-171] a client that asks in a loop causes a try every two seconds at most", async () => {
  const { fixture, alice, tries } = await behindPortal()
  await fixture.clock.pass(60 * MINUTE_MS)
  const before = tries.length
  for (let asked = 0; asked < 100; asked++) {
    const asked = connectionOf(alice)
    await fixture.clock.pass(100)
    await asked
  }
  expect(tries.length - before).toBeLessThanOrEqual(10)
})

test("[D-171] a broker that is back is found by the next command: its status, its text", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.close()
  await fixture.clock.pass(30_000)
  fixture.broker.run()
  expect(await connectionOf(alice)).toBe("online")
  const sent = bob.client.call("send", { contact: "alice", text: "back?", wait: "broker", timeoutMs: 5_000 })
  await fixture.clock.pass(100)
  expect((await sent).state).toBe("broker")
})

test("[D-171] a try without an outcome is over after five seconds, and so is the command", async () => {
  const { fixture, alice } = await couple()
  fixture.broker.close()
  await fixture.clock.pass(30_000)
  fixture.broker.answers = false
  const asked = connectionOf(alice)
  await fixture.clock.pass(5_000)
  expect(await asked).toBe("offline")
})
