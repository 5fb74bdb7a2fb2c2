import { createHash } from "node:crypto"
import fc from "fast-check"

import type { Message } from "../../src/engine/api.ts"
import { toHex, type Random } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { copyDisk, rollBackDisk } from "./disks.ts"
import { expectInvariants } from "./invariants.ts"
import type { FaultEvent, DiskEvent, Who } from "./schedule.ts"
import { clearFrameFaults, hangUp, replayLast, restartForgetting, setFrameFaults } from "./network-model.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** More texts than one schedule can have. */
const ALL = 10_000
/** The longest interval between two transmissions is an hour, and a handshake may have to be sent first. */
const CLEARING_MS = 3 * HOUR_MS
/** After disks were put back, recovery is limited to once an hour, and three times a day. */
const HEALING_MS = 50 * HOUR_MS

/** Two users, the texts promised to them, and those lost. */
type ScheduleRun = {
  readonly fixture: EngineFixture
  readonly profiles: readonly [TestProfile, TestProfile]
  readonly promised: readonly [string[], string[]]
  readonly copies: [Copy | undefined, Copy | undefined]
  readonly forgotten: readonly [Loss, Loss]
  count: number
}

type Loss = { readonly sent: Set<string>; readonly received: Set<string> }
/** What this user knew when the disk was copied. */
type Copy = { readonly promised: number; readonly received: ReadonlySet<string>; readonly secret: string }

/** How many schedules have one seed. */
const SCHEDULES_A_SEED = 4

/** A failing schedule is shrunk for at most this long. */
const SHRINKING_MS = 60_000

/** Runs schedules of this seed and the next ones until at least so many texts were promised. Gives how many. */
export async function runSchedules(
  schedules: fc.Arbitrary<(FaultEvent | DiskEvent)[]>,
  seed: number,
  texts: number,
): Promise<number> {
  let promised = 0
  const property = fc.asyncProperty(schedules, async (events) => {
    promised += await run(events)
  })
  for (let next = seed; promised < texts; next++) {
    await fc.assert(property, {
      seed: next,
      numRuns: SCHEDULES_A_SEED,
      interruptAfterTimeLimit: SHRINKING_MS,
    })
  }
  return promised
}

/** Runs a schedule to its end, ends the faults, and expects the invariants. Gives how many texts were promised. */
async function run(events: readonly (FaultEvent | DiskEvent)[]): Promise<number> {
  const fixture = new EngineFixture(randomFor(events))
  const profiles = [await fixture.profile("alice"), await fixture.profile("bob")] as const
  await fixture.pair(...profiles)
  const loss = (): Loss => ({ sent: new Set(), received: new Set() })
  const run: ScheduleRun = {
    fixture,
    profiles,
    promised: [[], []],
    copies: [undefined, undefined],
    forgotten: [loss(), loss()],
    count: 0,
  }
  for (const event of events) await applyEvent(run, event)
  clearFrameFaults(fixture)
  const hasRollback = events.some((event) => event.kind === "do" && event.what === "put disk back")
  await fixture.clock.pass(hasRollback ? HEALING_MS : CLEARING_MS)
  for (const [sender, receiver] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const [from, to] = [profiles[sender], profiles[receiver]]
    const direction = {
      from: from.name,
      sent: (await conversation(from, to)).filter(({ mine }) => mine),
      received: (await conversation(to, from)).filter(({ mine }) => !mine),
      promised: run.promised[sender],
    }
    const forgotten = { sent: run.forgotten[sender].sent, received: run.forgotten[receiver].received }
    expectInvariants(direction, ...(hasRollback ? [forgotten] : []))
  }
  await Promise.all(profiles.map((profile) => profile.stop()))
  return run.promised[0].length + run.promised[1].length
}

/** The same schedule has the same keys, and so the same side with the smaller identity. */
function randomFor(events: readonly (FaultEvent | DiskEvent)[]): Random {
  const schedule = JSON.stringify(events)
  let drawn = 0
  return (length) => {
    const bytes = createHash("shake256", { outputLength: length }).update(`${drawn++} ${schedule}`).digest()
    return new Uint8Array(bytes)
  }
}

async function applyEvent(run: ScheduleRun, event: FaultEvent | DiskEvent): Promise<void> {
  const { fixture } = run
  const { broker, clock } = fixture
  switch (event.kind) {
    case "say":
      for (let n = 0; n < event.count; n++) sendText(run, event.who)
      return
    case "pass":
      return clock.pass(event.ms)
    case "weather":
      setFrameFaults(fixture, event.faults)
      return
    case "die":
      await run.profiles[event.who].crash()
      await clock.pass(event.ms)
      return run.profiles[event.who].start()
    case "hang-up":
      return hangUp(fixture, event.ms)
    case "forget": {
      restartForgetting(fixture, event.sessionPresent)
      return
    }
    case "replay": {
      replayLast(fixture, event.last)
      return
    }
    case "full disk":
      run.profiles[event.who].fillDisk(true)
      await clock.pass(event.ms)
      run.profiles[event.who].fillDisk(false)
      broker.reopen()
      return
    case "jump":
      clock.jump(event.days * DAY_MS)
      return
    case "do":
      return applyAction(run, event)
  }
}

async function applyAction(
  run: ScheduleRun,
  { what, who }: Extract<FaultEvent | DiskEvent, { kind: "do" }>,
): Promise<void> {
  const { client } = run.profiles[who]
  const peer = run.profiles[other(who)].name
  switch (what) {
    case "reset":
      void client.call("reset", { contact: peer }).catch(expectFault)
      return
    case "cancel":
      for (const { contact, id } of (await client.call("outbox", {})).slice(0, 1)) {
        void client.call("cancel", { contact, id }).catch(expectFault)
      }
      return
    case "look":
      await client.call("inbox", { markRead: true })
      return
    case "copy disk":
      return keepCopy(run, who)
    case "put disk back":
      return rollBackToCopy(run, who)
  }
}

/** Sends this user's next text; a process that dies before it is on disk has promised nothing. */
function sendText(run: ScheduleRun, who: Who): void {
  const { profiles, promised } = run
  const [sender, receiver] = [profiles[who], profiles[other(who)]]
  const text = `${sender.name} ${run.count++}`
  sender.send(receiver.name, text).then(() => promised[who].push(text), expectFault)
}

async function keepCopy(run: ScheduleRun, who: Who): Promise<void> {
  const profile = run.profiles[who]
  const received = new Set(await profile.texts(run.profiles[other(who)].name))
  run.copies[who] = { promised: run.promised[who].length, received, secret: await secretOf(profile) }
  await copyDisk(profile)
}

/** Not across a recovery: the peer's new session opens nothing from a disk of before. */
async function rollBackToCopy(run: ScheduleRun, who: Who): Promise<void> {
  const [profile, peer] = [run.profiles[who], run.profiles[other(who)]]
  const copy = run.copies[who]
  run.copies[who] = undefined
  if (
    copy === undefined ||
    copy.secret !== (await secretOf(peer)) ||
    copy.secret !== (await secretOf(profile))
  )
    return
  const { held } = await profile.store.load()
  const received = [...(await profile.texts(peer.name)), ...held.flatMap(({ text }) => text?.text ?? [])]
  for (const text of received) if (!copy.received.has(text)) run.forgotten[who].received.add(text)
  await rollBackDisk(profile)
  for (const text of run.promised[who].slice(copy.promised)) run.forgotten[who].sent.add(text)
}

/** Names the session, if both are in the same one. */
async function secretOf({ store }: TestProfile): Promise<string> {
  const { devices } = await store.load()
  return devices.map(({ state, recoverySecret }) => `${state} ${toHex(recoverySecret)}`).join()
}

function other(who: Who): Who {
  return who === 0 ? 1 : 0
}

async function conversation(profile: TestProfile, peer: TestProfile): Promise<Message[]> {
  return profile.client.call("history", { contact: peer.name, limit: ALL })
}

/** The engine may refuse; anything else is a bug. */
function expectFault(refusal: unknown): void {
  if (!(refusal instanceof Fault)) throw refusal
}
