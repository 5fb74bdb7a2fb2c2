import { describe, expect, it } from "vitest"
import type { Contact } from "../../src/engine/api.ts"
import { contactRow, markedName } from "../../src/cli/terminal/format.ts"
import { firstFitName, normalizedName } from "../../src/cli/terminal/names.ts"
import { Fault } from "../../src/errors.ts"

const CONTACT: Contact = {
  id: 1,
  name: "b\u043eb-2",
  fingerprint: "0123456789abcdef0123",
  state: "established",
  pairing: "done",
  verified: false,
  blocked: false,
  keyChangedAt: null,
  accountLockedAt: null,
  deviceReplacedAt: null,
  devices: [],
  readReceipts: false,
  typingIndicators: false,
  receiptDelayMs: 0,
  timerSeconds: 0,
  introducedBy: null,
  addedAt: 0,
  unread: 1,
  queued: 0,
}

function faultOf(typed: string): unknown {
  try {
    return normalizedName(typed)
  } catch (fault) {
    return fault
  }
}

describe("a name of one's own", () => {
  it("is taken in normal form", () => {
    expect(normalizedName(" Zoe\u0308 ")).toBe("Zo\u00eb")
  })

  it.each(["me", "YOU", "info", "all", "system", "mqttchat", "bob:", "-bob", "7", "\u3164", "", "bob\u200b"])(
    "%j is refused with a hint",
    (typed) => {
      const fault = faultOf(typed)
      expect(fault).toBeInstanceOf(Fault)
      expect(fault).toMatchObject({ code: "usage", hint: "choose another" })
    },
  )
})

describe("a name that mixes scripts", () => {
  it("is marked in the list of contacts, and where a decision hangs on it", () => {
    expect(contactRow(CONTACT)).toBe(
      "UNVERIFIED  0123 4567 89ab cdef 0123  b\u043eb-2  (mixes Latin and Cyrillic letters, 1 unread)",
    )
    expect(markedName("b\u043eb")).toBe("b\u043eb (mixes Latin and Cyrillic letters)")
    expect(markedName("bob")).toBe("bob")
  })
})

describe("the name of settings that are made again", () => {
  it.for([
    [["alice", "work"], "alice"],
    [["me", "work"], "work"],
    [["1000", "work"], "work"],
    [["a:b", "work"], "work"],
    [["a\u001b[31m", "work"], "work"],
    [["a".repeat(65), "work"], "work"],
    [["", "work"], "work"],
    [[undefined, "work"], "work"],
    [["-x", "me"], undefined],
  ] as const)("of %j is %s, as `init` would take it", ([candidates, name]) => {
    expect(firstFitName(candidates)).toBe(name)
  })
})
