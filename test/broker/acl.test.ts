import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Principal,
  claim,
  mayPublish,
  mayReceive,
  maySubscribe,
  NO_CLAIMS,
} from "../../src/broker/acl.ts"
import { newId } from "./broker-fixture.ts"

const [ALICE, BOB] = [newId(), newId()]
const alice: Principal = { kind: "device", id: ALICE }
const registrar: Principal = { kind: "registrar" }
const guest: Principal = { kind: "guest", claims: { nameplate: 5, registration: BOB } }

/** Filters that look like ours: each level is one of ours, a wildcard, or something similar. */
const level = fc.constantFrom(
  "mc",
  "1",
  "i",
  "p",
  "g",
  "reg",
  "q",
  "a",
  "5",
  "6",
  "05",
  ALICE,
  BOB,
  "+",
  "#",
  "",
  "$SYS",
)
const anyFilter = fc.oneof(
  fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join("/")),
  fc
    .tuple(fc.constantFrom("i", "reg/q", "reg/a", "p", "g"), level, level)
    .map(([branch, one, two]) => (branch === "i" ? `mc/1/i/${one}/${two}` : `mc/1/${branch}/${one}`)),
)
const anyPrincipal = fc.constantFrom(alice, registrar, guest)

/** MQTT 3.1.1, section 4.7, for topics that do not begin with $. */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  const [want, ...wants] = filter
  const [have, ...haves] = topic
  if (want === undefined || want === "#") return want === "#" || topic.length === 0
  return have !== undefined && (want === "+" || want === have) && matches(wants, haves)
}

/** Which principal receives which topics, stated apart from the code: exactly these, no more and no less. */
const topics = [ALICE, BOB]
  .flatMap((id) => [`mc/1/i/${id}/${ALICE}`, `mc/1/i/${id}/${BOB}`, `mc/1/reg/q/${id}`, `mc/1/reg/a/${id}`])
  .concat([`mc/1/g/${ALICE}`, `mc/1/g/${BOB}`])
  .concat(["mc/1/p/5", "mc/1/p/6", "mc/1/i", "mc/1", "$SYS/x/y/z/v", "a/b/c/d/e"])
const meantFor = new Map<Principal, readonly string[]>([
  [
    alice,
    [
      `mc/1/i/${ALICE}/${ALICE}`,
      `mc/1/i/${ALICE}/${BOB}`,
      `mc/1/reg/a/${ALICE}`,
      "mc/1/p/5",
      "mc/1/p/6",
    ].concat([`mc/1/g/${ALICE}`, `mc/1/g/${BOB}`]),
  ],
  [registrar, [`mc/1/reg/q/${ALICE}`, `mc/1/reg/q/${BOB}`]],
  [guest, [`mc/1/reg/a/${BOB}`, "mc/1/p/5"]],
])

describe("the access rules", () => {
  test.each([...meantFor])("%o receives what is meant for it, and nothing else", (principal, meant) => {
    expect(topics.filter((topic) => mayReceive(principal, topic)).toSorted()).toEqual(meant.toSorted())
  })

  test("a granted filter matches only what is meant for its principal", () => {
    fc.assert(
      fc.property(anyPrincipal, anyFilter, (principal, filter) => {
        if (!maySubscribe(principal, filter)) return
        const reached = topics.filter((topic) => matches(filter.split("/"), topic.split("/")))
        expect(reached.filter((topic) => !meantFor.get(principal)?.includes(topic))).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })

  test("no principal may publish to a wildcard, to $SYS or outside the grammar", () => {
    fc.assert(
      fc.property(anyPrincipal, anyFilter, (principal, topic) => {
        if (mayPublish(principal, topic))
          expect(topic).toMatch(
            /^mc\/1\/(i\/[\w-]{22}\/[\w-]{22}|g\/[\w-]{22}|p\/[1-9]\d{0,3}|reg\/[qa]\/[\w-]{22})$/,
          )
      }),
      { numRuns: 2_000 },
    )
  })

  test("each of the three may do what its role needs", () => {
    expect(mayPublish(alice, `mc/1/i/${BOB}/${ALICE}`)).toBe(true)
    expect(maySubscribe(alice, `mc/1/i/${ALICE}/+`)).toBe(true)
    expect(maySubscribe(alice, `mc/1/g/${BOB}`) && mayPublish(alice, `mc/1/g/${BOB}`)).toBe(true)
    expect(maySubscribe(guest, `mc/1/g/${BOB}`) || mayPublish(guest, `mc/1/g/${BOB}`)).toBe(false)
    expect(maySubscribe(registrar, "mc/1/reg/q/+")).toBe(true)
    expect(mayPublish(registrar, `mc/1/reg/a/${BOB}`)).toBe(true)
    expect(mayPublish(guest, `mc/1/reg/q/${BOB}`)).toBe(true)
    expect(maySubscribe(guest, "mc/1/p/5")).toBe(true)
  })

  test("a guest holds nothing at first, then one nameplate and one registration until it disconnects", () => {
    expect(mayPublish({ kind: "guest", claims: NO_CLAIMS }, "mc/1/p/5")).toBe(false)
    const one = claim(NO_CLAIMS, "mc/1/p/5")
    expect(one).toEqual({ nameplate: 5 })
    expect(claim(one ?? NO_CLAIMS, `mc/1/reg/a/${BOB}`)).toEqual({ nameplate: 5, registration: BOB })
    expect(claim(one ?? NO_CLAIMS, "mc/1/p/5")).toEqual({ nameplate: 5 })
    expect(claim({ nameplate: 5, registration: BOB }, "mc/1/p/6")).toBeUndefined()
    expect(claim({ nameplate: 5, registration: BOB }, `mc/1/reg/q/${ALICE}`)).toBeUndefined()
    for (const topic of ["mc/1/p/+", "mc/1/p/10000", `mc/1/i/${ALICE}/${BOB}`, "#"]) {
      expect(claim(NO_CLAIMS, topic)).toBeUndefined()
    }
  })
})
