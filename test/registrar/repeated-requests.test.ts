import fc from "fast-check"
import { afterEach, expect, test } from "vitest"
import type { RegistrationAnswer, RegistrationRequest } from "../../src/wire/registration.ts"
import { RequestsFixture, type Recorded } from "./requests-fixture.ts"

const HOUR = 3600 * 1000
const KINDS: readonly RegistrationRequest["kind"][] = ["join", "renew", "invite", "add-device", "restore"]

let fixture: RequestsFixture | undefined

async function start(): Promise<RequestsFixture> {
  fixture = new RequestsFixture(["alice", "bob"])
  await fixture.start()
  return fixture
}

afterEach(async () => {
  await fixture?.end()
  fixture = undefined
})

/** Delivers a new request, and keeps what the ledger says it was granted. */
async function ask(
  at: RequestsFixture,
  person: RequestsFixture["people"][number],
  kind: RegistrationRequest["kind"],
): Promise<Recorded | undefined> {
  const before = at.deviceOf(person)
  const entries = await at.entries()
  const recorded = at.request(person, kind)
  const answer = recorded && (await at.deliver(recorded))
  if (recorded === undefined || answer === undefined) return undefined
  const isCertificate = kind === "join" || kind === "restore" || kind === "renew"
  const device = isCertificate ? at.deviceOf(person) : before
  // A renewal within the hour gets the certificate of another request, which the ledger does not note.
  if (device !== undefined && (await at.entries()) > entries) recorded.granted = { device, answer }
  return recorded
}

async function member(at: RequestsFixture) {
  const [alice] = at.people
  if (alice === undefined) throw new Error("no people")
  await at.invite(alice)
  const join = await ask(at, alice, "join")
  if (join?.granted === undefined) throw new Error("Alice was not admitted")
  return { alice, join, device: join.granted.device }
}

const REVOKED: RegistrationAnswer = { kind: "refused", why: "revoked" }

test("after a revocation every earlier request of that device is refused, though it was granted before [R-3] [R-11]", async () => {
  const at = await start()
  const { alice, device } = await member(at)
  at.pass(2 * HOUR)
  for (const kind of ["renew", "invite", "add-device"] as const) await ask(at, alice, kind)
  const granted = at.requests.filter((request) => request.granted !== undefined)
  expect(granted.map(({ kind }) => kind)).toEqual(["join", "renew", "invite", "add-device"])
  await at.revoke(alice, device)
  for (const request of granted) expect(await at.deliver(request)).toEqual(REVOKED)
})

test("after a second restore the requests of the first one, and of the device before it, get the time of the replacement [R-14]", async () => {
  const at = await start()
  const { alice, join } = await member(at)
  at.pass(2 * HOUR)
  const renewal = await ask(at, alice, "renew")
  const first = await ask(at, alice, "restore")
  at.pass(1_000)
  const second = await ask(at, alice, "restore")
  const times: unknown[] = []
  for (const request of [join, renewal!, first!]) times.push(await at.deliver(request))
  const firstAt = 1_800_000_000_000 + 2 * HOUR
  expect(times).toMatchObject([
    { kind: "replaced", at: firstAt },
    { kind: "replaced", at: firstAt },
    { kind: "replaced", at: firstAt + 1_000 },
  ])
  expect(await at.deliver(second!)).toEqual(second!.granted!.answer)
})

test("Mallory holds a join back and delivers it after a restore: the new device keeps its key [R-14]", async () => {
  const at = await start()
  const { alice } = await member(at)
  at.pass(2 * HOUR)
  const heldBack = at.request(alice, "join")!
  await ask(at, alice, "restore")
  const entries = await at.entries()
  expect(await at.deliver(heldBack)).toMatchObject({ kind: "replaced" })
  expect(await at.entries()).toBe(entries)
})

test("a join that another one has overtaken gets its own certificate again, and takes no key back [R-3]", async () => {
  const at = await start()
  const { join, alice } = await member(at)
  const again = await ask(at, alice, "join")
  const entries = await at.entries()
  await at.restart()
  expect(await at.deliver(join)).toEqual(join.granted!.answer)
  expect(await at.deliver(again!)).toEqual(again!.granted!.answer)
  expect(await at.entries()).toBe(entries)
})

test("a request for an invitation that is repeated, also after a restart and for ever, makes no second one [R-5]", async () => {
  const at = await start()
  const { alice } = await member(at)
  const invite = await ask(at, alice, "invite")
  const entries = await at.entries()
  await at.restart()
  expect(await at.deliver(invite!)).toEqual(invite!.granted!.answer)
  at.pass(30 * 24 * HOUR)
  expect(await at.deliver(invite!)).toEqual(invite!.granted!.answer)
  expect(await at.entries()).toBe(entries)
  await at.setInviters(false)
  expect(await at.deliver(invite!)).toEqual({ kind: "refused", why: "not-allowed" })
})

type Step =
  | { readonly do: "ask"; readonly person: number; readonly kind: RegistrationRequest["kind"] }
  | { readonly do: "repeat"; readonly which: number }
  | { readonly do: "invite" | "revoke-device" | "revoke-user"; readonly person: number }
  | { readonly do: "inviters"; readonly members: boolean }
  | { readonly do: "pass"; readonly hours: number }
  | { readonly do: "restart" }

const person = fc.nat({ max: 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("ask" as const), person, kind: fc.constantFrom(...KINDS) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("repeat" as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("invite" as const), person }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("revoke-device" as const, "revoke-user" as const), person }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("inviters" as const), members: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), hours: fc.nat({ max: 200 }) }) },
  { weight: 2, arbitrary: fc.constant({ do: "restart" } as const) },
)

/** What the ledger alone says about bytes that were granted before. */
async function checkRepeat(at: RequestsFixture, request: Recorded): Promise<void> {
  const { granted } = request
  const entries = await at.entries()
  const answer = await at.deliver(request)
  if (granted === undefined) return
  expect(await at.entries(), "a repeat changes nothing").toBe(entries)
  const device = at.state.devices.get(granted.device)
  const isOut = device?.revokedAt !== undefined
  if (isOut) expect(["refused", "replaced"]).toContain(answer?.kind)
  else if (answer?.kind !== "refused") expect(answer).toEqual(granted.answer)
  if (!isOut && request.kind !== "join" && request.kind !== "invite") expect(answer).toEqual(granted.answer)
  await at.restart()
  expect(await at.deliver(request), "a registrar that has just started says the same").toEqual(answer)
}

async function perform(at: RequestsFixture, what: Step): Promise<void> {
  const someone = at.people["person" in what ? what.person : 0]!
  switch (what.do) {
    case "ask":
      await ask(at, someone, what.kind)
      return
    case "repeat":
      if (at.requests.length > 0) await checkRepeat(at, at.requests[what.which % at.requests.length]!)
      return
    case "invite":
      return at.invite(someone)
    case "revoke-device":
    case "revoke-user": {
      const device = at.deviceOf(someone)
      const user = at.state.users.get(at.state.devices.get(device ?? "")?.user ?? "")
      if (device !== undefined && user?.name === someone.name && user.revokedAt === undefined)
        await at.revoke(someone, what.do === "revoke-user" ? null : device)
      return
    }
    case "inviters":
      return at.setInviters(what.members)
    case "pass":
      at.pass(what.hours * HOUR)
      return
    case "restart":
      return at.restart()
  }
}

test("in any history of requests, repeats, revocations, restores and restarts, each answer follows from the ledger as it is now [R-3]", async () => {
  const history = fc.array(step, { minLength: 10, maxLength: 30, size: "max" })
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const at = new RequestsFixture(["alice", "bob"])
      await at.start()
      try {
        for (const each of at.people) await at.invite(each)
        for (const each of steps) await perform(at, each)
        for (const request of [...at.requests]) await checkRepeat(at, request)
      } finally {
        await at.end()
      }
    }),
    { numRuns: 20 },
  )
}, 120_000)
