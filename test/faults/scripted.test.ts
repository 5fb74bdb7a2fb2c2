import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PacketCmd } from "mqtt-packet"
import { describe, expect, test, vi, type TestContext } from "vitest"

import { makeAuthority } from "../../src/broker/certificates.ts"
import { mint, newId } from "../broker/world.ts"
import { until, untilSettled, type Resident } from "./residents.ts"
import { couple, expectBothLaws } from "./scene.ts"
import { ScriptedBroker } from "./scripted-broker.ts"

// Links wait before they come back, on a machine that may be busy: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 120_000 })

const TEXTS = 10

type Scene = { readonly alice: Resident; readonly bob: Resident; readonly broker: ScriptedBroker }

async function openScene({ onTestFinished }: TestContext): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-scripted-"))
  const authority = await makeAuthority()
  const broker = await ScriptedBroker.open(authority)
  const devices = [await mint(authority, newId()), await mint(authority, newId())] as const
  const [alice, bob] = await couple({ authority, folder, port: broker.port }, devices)
  onTestFinished(async () => {
    await Promise.all([alice.stop(), bob.stop()])
    await broker.close()
    rmSync(folder, { recursive: true })
  })
  return { alice, bob, broker }
}

async function talk({ alice, bob }: Scene, about: string): Promise<void> {
  for (let n = 0; n < TEXTS; n++) {
    await Promise.all([alice.say(bob, `alice ${about} ${n}`), bob.say(alice, `bob ${about} ${n}`)])
  }
}

/** Nothing more is unusual: what was said arrives, by the law. */
async function settle(it: Scene): Promise<void> {
  it.broker.script = {}
  await untilSettled(it.alice, it.bob)
  await expectBothLaws(it.alice, it.bob)
}

describe.concurrent("a broker of Mallory's", () => {
  test("that acknowledges everything and keeps nothing is believed only as far as the broker", async (context) => {
    const it = await openScene(context)
    it.broker.script = { keeps: () => [] }
    await talk(it, "into the void")
    await until([it.alice], async () =>
      (await it.alice.talk(it.bob)).every(({ state }) => state !== "queued"),
    )
    const states = (await it.alice.talk(it.bob)).filter(({ mine }) => mine).map(({ state }) => state)
    expect(states).toEqual(["delivered", ...Array.from({ length: TEXTS }, () => "broker")])
    await settle(it)
  })

  test("that says of lost sessions that it has them loses nothing", async (context) => {
    const it = await openScene(context)
    it.broker.script = { saysPresent: () => true, keeps: () => [] }
    await talk(it, "before")
    it.broker.forgetAll()
    await talk(it, "after")
    await settle(it)
  })

  test("that says of kept sessions that it has lost them doubles nothing", async (context) => {
    const it = await openScene(context)
    it.broker.script = { saysPresent: () => false }
    for (let time = 0; time < 3; time++) {
      await talk(it, `time ${time}`)
      it.broker.hangUp()
    }
    await settle(it)
  })

  test("that plays an old session again is not taken in", async (context) => {
    const it = await openScene(context)
    await talk(it, "long ago")
    await untilSettled(it.alice, it.bob)
    it.broker.script = { greets: (seen) => seen }
    it.broker.hangUp()
    await talk(it, "now")
    await settle(it)
  })

  test("that plays old letters again instead of new ones delays them", async (context) => {
    const it = await openScene(context)
    await talk(it, "long ago")
    await untilSettled(it.alice, it.bob)
    let letters = 0
    it.broker.script = {
      keeps: ({ topic }) => it.broker.seen.filter((old) => old.topic === topic).slice(letters++, letters),
    }
    await talk(it, "now")
    await settle(it)
  })

  test("that acknowledges what nobody sent, and not what was, is not believed", async (context) => {
    const it = await openScene(context)
    it.broker.script = { keeps: () => [], acknowledges: (id) => [id + 1_000, id + 2_000] }
    await talk(it, "now")
    const states = (await it.alice.talk(it.bob)).filter(({ mine }) => mine).map(({ state }) => state)
    expect(new Set(states.slice(1))).toEqual(new Set(["queued"]))
    it.broker.script = {}
    it.broker.hangUp()
    await settle(it)
  })

  test("that hangs up at one connect, and does not speak the other version, is tried again", async (context) => {
    const it = await openScene(context)
    let times = 0
    it.broker.script = { closesAt: (cmd) => cmd === "connect" && times++ === 0 }
    it.broker.hangUp()
    await talk(it, "again")
    await until([it.alice, it.bob], () => Promise.resolve(times > 0))
    await settle(it)
  })

  test.for(["connect", "subscribe", "publish", "puback", "disconnect"] satisfies PacketCmd[])(
    "that hangs up at %s loses nothing",
    async (kind, context) => {
      const it = await openScene(context)
      let times = 0
      it.broker.script = { closesAt: (cmd) => cmd === kind && times++ < 3 }
      await it.alice.stop()
      await it.alice.start()
      it.broker.hangUp()
      await talk(it, "again and again")
      await until([it.alice, it.bob], () => Promise.resolve(times > 0))
      await settle(it)
    },
  )
})
