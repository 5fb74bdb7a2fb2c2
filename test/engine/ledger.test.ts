import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { afterEach, beforeEach, expect, test } from "vitest"
import { revoke } from "../../src/registrar/members.ts"
import { PairingFixture, type BrokerUser } from "./pairing-fixture.ts"

const DAY = 24 * 3600 * 1000
const START = Date.now()

let fixture: PairingFixture
let now: number

beforeEach(async () => {
  now = START
  fixture = await PairingFixture.open({ now: () => now })
})
afterEach(() => fixture.end())

const clock = { now: () => now }

async function ask(user: BrokerUser, accept = false) {
  return user.client.call("ledger", { accept })
}

/** Cuts the last lines off the ledger, as an older copy of it would lack them, and starts the registrar again. */
async function cutOff(lines: number): Promise<void> {
  const { ledgerPath, reopen } = fixture.registrarFixture
  const kept = readFileSync(ledgerPath, "utf8").trimEnd().split("\n").slice(0, -lines)
  writeFileSync(ledgerPath, `${kept.join("\n")}\n`)
  await reopen()
}

async function revokeBob(): Promise<void> {
  await revoke(fixture.registrarFixture.registrar, { user: "bob", device: null })
  await fixture.registrarFixture.registrar.enforce()
}

test("a revocation that is cut off the ledger is noticed by each device that had heard of it, and said once [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  await fixture.member("bob", clock)
  await revokeBob()
  const whole = await ask(alice)
  expect(whole).toMatchObject({ state: "whole", trouble: null })
  await cutOff(2)
  now += DAY
  expect(await ask(alice)).toMatchObject({
    state: "rolled-back",
    entries: whole.entries,
    confirmedAt: START,
    trouble: { kind: "rolled-back", since: now, last: now, entries: whole.entries - 2 },
  })
  const { text } = await alice.next("notice")
  expect(text).toContain(
    `${whole.entries} entries were there on ${new Date(START).toISOString().slice(0, 10)}`,
  )
  expect(text).toContain(`${whole.entries - 2} are there now`)
  const since = now
  now += DAY
  const { trouble } = await ask(alice)
  expect(trouble).toMatchObject({ since, last: now })
  expect(alice.events.filter(({ kind }) => kind === "notice")).toHaveLength(1)
  expect((await alice.client.call("status", {})).ledger).toMatchObject({ state: "rolled-back" })
})

test("a ledger that was cut off and has grown again is another one: it is longer, and lacks the entry [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  await fixture.member("bob", clock)
  await revokeBob()
  await ask(alice)
  await cutOff(2)
  for (const name of ["carol", "dave", "erin"]) await fixture.registrarFixture.invite(name)
  expect(await ask(alice)).toMatchObject({ state: "forked" })
})

test("two registrars from one ledger are noticed by a device that meets both, whichever it asks next [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  const { ledgerPath, invite, reopen } = fixture.registrarFixture
  const [copy, first] = [`${ledgerPath}.copy`, `${ledgerPath}.first`]
  copyFileSync(ledgerPath, copy)
  await invite("carol")
  expect(await ask(alice)).toMatchObject({ state: "whole", trouble: null })
  copyFileSync(ledgerPath, first)
  copyFileSync(copy, ledgerPath)
  await reopen()
  await invite("dave")
  expect(await ask(alice)).toMatchObject({ state: "forked" })
  copyFileSync(first, ledgerPath)
  await reopen()
  now += 1
  expect(await ask(alice), "the first one is back, and the second one is not forgotten").toMatchObject({
    state: "whole",
    trouble: { kind: "forked" },
  })
})

test("after the operator has put back an older copy, the user accepts it, and it counts from then on [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  await fixture.registrarFixture.invite("carol")
  const { entries } = await ask(alice)
  await cutOff(1)
  expect(await ask(alice)).toMatchObject({ state: "rolled-back" })
  expect(await ask(alice, true)).toMatchObject({ state: "whole", entries: entries - 1, trouble: null })
  await fixture.registrarFixture.invite("dave")
  expect(await ask(alice)).toMatchObject({ state: "whole", entries, trouble: null })
})

test("a process that stays asks once a day by itself, and one that hears of it in another answer does not [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  const { entries } = (await alice.client.call("status", {})).ledger
  expect(entries, "the answer to the registration says it").toBeGreaterThan(0)
  await fixture.registrarFixture.invite("carol")
  await ask(alice)
  await cutOff(1)
  expect(alice.isWaitingFor(DAY)).toBe(true)
  now += DAY
  alice.runTimers(DAY, DAY + 1)
  expect((await alice.next("notice")).text).toContain("was cut off")
  expect(alice.isWaitingFor(DAY)).toBe(true)
})

test("a registrar that does not know this device, or is away, is no proof of anything [R-16]", async () => {
  const alice = await fixture.member("alice", clock)
  const before = (await alice.client.call("status", {})).ledger
  await revoke(fixture.registrarFixture.registrar, { user: "alice", device: null })
  await expect(ask(alice)).rejects.toMatchObject({ code: "refused" })
  expect((await alice.client.call("status", {})).ledger).toMatchObject({
    state: "whole",
    entries: before.entries + 1,
  })
})
