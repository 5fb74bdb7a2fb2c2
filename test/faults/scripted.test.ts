import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PacketCmd } from "mqtt-packet"
import { describe, expect, test, type TestContext } from "vitest"

import { makeAuthority } from "../../src/broker/certificates.ts"
import { mint, newId } from "../broker/broker-fixture.ts"
import { until, untilSettled, type Actor } from "./actors.ts"
import { pairedActors, expectInvariantsBothWays } from "./faults-fixture.ts"
import { ScriptedBroker } from "./scripted-broker.ts"

const TEXTS = 10

type ScriptedFixture = { readonly alice: Actor; readonly bob: Actor; readonly broker: ScriptedBroker }

async function openScriptedFixture({ onTestFinished }: TestContext): Promise<ScriptedFixture> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-scripted-"))
  const authority = await makeAuthority()
  const broker = await ScriptedBroker.open(authority)
  const devices = [await mint(authority, newId()), await mint(authority, newId())] as const
  const [alice, bob] = await pairedActors({ authority, folder, port: broker.port }, devices)
  onTestFinished(async () => {
    await Promise.all([alice.stop(), bob.stop()])
    await broker.close()
    rmSync(folder, { recursive: true })
  })
  return { alice, bob, broker }
}

async function exchange({ alice, bob }: ScriptedFixture, about: string): Promise<void> {
  for (let n = 0; n < TEXTS; n++) {
    await Promise.all([alice.send(bob, `alice ${about} ${n}`), bob.send(alice, `bob ${about} ${n}`)])
  }
}

/** The broker is honest from now on: all texts arrive, and the invariants hold. */
async function expectSettled(it: ScriptedFixture): Promise<void> {
  it.broker.script = {}
  await untilSettled(it.alice, it.bob)
  await expectInvariantsBothWays(it.alice, it.bob)
}

/** Another packet identifier, from 1 to 65,535. */
const otherId = (id: number, further: number): number => ((id + further) % 65_535) + 1

describe.concurrent("a broker of Mallory's", () => {
  test("that acknowledges everything and keeps nothing is trusted only for the broker's tick", async (context) => {
    const it = await openScriptedFixture(context)
    it.broker.script = { enqueues: () => [] }
    await exchange(it, "into the void")
    await until([it.alice], async () =>
      (await it.alice.history(it.bob)).every(({ state }) => state !== "queued"),
    )
    const states = (await it.alice.history(it.bob)).filter(({ mine }) => mine).map(({ state }) => state)
    expect(states).toEqual(["delivered", ...Array.from({ length: TEXTS }, () => "broker")])
    await expectSettled(it)
  })

  test("that claims to have kept lost sessions loses nothing", async (context) => {
    const it = await openScriptedFixture(context)
    it.broker.script = { reportsPresent: () => true, enqueues: () => [] }
    await exchange(it, "before")
    it.broker.forgetAll()
    await exchange(it, "after")
    await expectSettled(it)
  })

  test("that claims to have lost kept sessions doubles nothing", async (context) => {
    const it = await openScriptedFixture(context)
    it.broker.script = { reportsPresent: () => false }
    for (let time = 0; time < 3; time++) {
      await exchange(it, `time ${time}`)
      it.broker.hangUp()
    }
    await expectSettled(it)
  })

  test("that replays an old session has no effect", async (context) => {
    const it = await openScriptedFixture(context)
    await exchange(it, "long ago")
    await untilSettled(it.alice, it.bob)
    it.broker.script = { replays: (seen) => seen }
    it.broker.hangUp()
    await exchange(it, "now")
    await expectSettled(it)
  })

  test("that replays old messages instead of new ones delays the new ones", async (context) => {
    const it = await openScriptedFixture(context)
    await exchange(it, "long ago")
    await untilSettled(it.alice, it.bob)
    let count = 0
    it.broker.script = {
      enqueues: ({ topic }) => it.broker.seen.filter((old) => old.topic === topic).slice(count++, count),
    }
    await exchange(it, "now")
    await expectSettled(it)
  })

  test("that acknowledges packets never sent, and not those sent, is not believed", async (context) => {
    const it = await openScriptedFixture(context)
    it.broker.script = { enqueues: () => [], acknowledges: (id) => [otherId(id, 1_000), otherId(id, 2_000)] }
    await exchange(it, "now")
    const states = (await it.alice.history(it.bob)).filter(({ mine }) => mine).map(({ state }) => state)
    expect(new Set(states.slice(1))).toEqual(new Set(["queued"]))
    it.broker.script = {}
    it.broker.hangUp()
    await expectSettled(it)
  })

  test("that closes one connection attempt, and does not support the other version, is tried again", async (context) => {
    const it = await openScriptedFixture(context)
    let times = 0
    it.broker.script = { closesAt: (cmd) => cmd === "connect" && times++ === 0 }
    it.broker.hangUp()
    await exchange(it, "again")
    await until([it.alice, it.bob], () => Promise.resolve(times > 0))
    await expectSettled(it)
  })

  test.for(["connect", "subscribe", "publish", "puback", "disconnect"] satisfies PacketCmd[])(
    "that closes the connection at %s loses nothing",
    async (kind, context) => {
      const it = await openScriptedFixture(context)
      let times = 0
      it.broker.script = { closesAt: (cmd) => cmd === kind && times++ < 3 }
      await it.alice.stop()
      await it.alice.start()
      it.broker.hangUp()
      await exchange(it, "again and again")
      await until([it.alice, it.bob], () => Promise.resolve(times > 0))
      await expectSettled(it)
    },
  )
})
