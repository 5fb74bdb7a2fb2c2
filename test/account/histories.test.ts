import fc from "fast-check"
import { expect, test } from "vitest"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { extendChain, type KnownChain } from "../../src/account/branches.ts"
import { readLinks, type ChainLink } from "../../src/account/chain-link.ts"
import { appendLink, startChain } from "../../src/account/judge.ts"
import { concat, toHex } from "../../src/crypto/bytes.ts"
import {
  addOf,
  byDevice,
  byRecoveryKey,
  createOf,
  device,
  recoveryKey,
  recoveryOf,
  removeOf,
  started,
} from "./account-fixture.ts"

/** Few keys, so that histories use them again. */
const DEVICES = ["laptop", "phone", "tablet", "desktop"].map((name) => device(name))
const RECOVERY = ["paper", "another"].map((name) => recoveryKey(name))
const SIGNERS = [...DEVICES.map(byDevice), ...RECOVERY.map(byRecoveryKey)]

/** What a history does next; many of these are not allowed where they stand. */
type Step =
  | { do: "add"; device: number; rights: number; by: number; goodConsent: boolean }
  | { do: "remove"; device: number; by: number }
  | { do: "recovery-key"; key: number; by: number }

const by = fc.nat(SIGNERS.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("add" as const),
    device: fc.nat(DEVICES.length - 1),
    rights: fc.nat(1),
    by,
    goodConsent: fc.boolean(),
  }),
  fc.record({ do: fc.constant("remove" as const), device: fc.nat(DEVICES.length - 1), by }),
  fc.record({ do: fc.constant("recovery-key" as const), key: fc.nat(RECOVERY.length - 1), by }),
)
const history = fc.array(step, { maxLength: 24 })
const start = fc.boolean().map((hasKey) => ({ hasKey, link: createLinkOf(hasKey) }))

function createLinkOf(hasKey: boolean): ChainLink {
  return createOf(DEVICES[0]!, hasKey ? { recovery: RECOVERY[0]!.publicKey } : {})
}

/** The account in words and sets, as the specification tells it. */
type Model = { live: Map<number, boolean>; recovery: number | undefined; used: Set<string> }

const modelOf = (hasKey: boolean): Model => ({
  live: new Map([[0, true]]),
  recovery: hasKey ? 0 : undefined,
  used: new Set(["device 0", ...(hasKey ? ["key 0"] : [])]),
})

function allowed(model: Model, next: Step): boolean {
  const { live, recovery, used } = model
  const isRecovery = next.by - DEVICES.length === recovery
  const mayChange = isRecovery || live.get(next.by) === true
  switch (next.do) {
    case "add":
      return mayChange && next.goodConsent && !used.has(`device ${next.device}`)
    case "remove":
      return (
        live.has(next.device) &&
        (mayChange || next.by === next.device) &&
        canChangeWithout(model, next.device)
      )
    case "recovery-key":
      return (isRecovery || (mayChange && recovery === undefined)) && !used.has(`key ${next.key}`)
  }
}

function canChangeWithout({ live, recovery }: Model, removed: number): boolean {
  return recovery !== undefined || [...live].some(([number, rights]) => number !== removed && rights)
}

function change(model: Model, next: Step): void {
  switch (next.do) {
    case "add":
      model.live.set(next.device, next.rights === 1)
      model.used.add(`device ${next.device}`)
      break
    case "remove":
      model.live.delete(next.device)
      break
    case "recovery-key":
      model.recovery = next.key
      model.used.add(`key ${next.key}`)
  }
}

function linkFor(chain: AccountChain, next: Step): ChainLink {
  const signer = SIGNERS[next.by]!
  switch (next.do) {
    case "add": {
      const { rights, goodConsent } = next
      const consent = goodConsent ? {} : { consent: new Uint8Array(64) }
      return addOf(chain, DEVICES[next.device]!, signer, { rights, ...consent })
    }
    case "remove":
      return removeOf(chain, DEVICES[next.device]!.public.sign, signer)
    case "recovery-key":
      return recoveryOf(chain, RECOVERY[next.key]!.publicKey, signer)
  }
}

/** The chain of all steps that are allowed. */
function grow(chain: AccountChain, steps: readonly Step[]): AccountChain {
  return steps.reduce((before, next) => {
    const judged = appendLink(before, linkFor(before, next))
    return judged.kind === "good" ? judged.chain : before
  }, chain)
}

function describeChain(chain: AccountChain) {
  const numberOf = (key: Uint8Array) =>
    DEVICES.findIndex(({ public: { sign } }) => toHex(sign) === toHex(key))
  return {
    live: chain.devices.map(({ identity, mayChange }) => [numberOf(identity.sign), mayChange]),
    recovery: RECOVERY.findIndex(
      ({ publicKey }) => chain.recoveryKey !== undefined && toHex(publicKey) === toHex(chain.recoveryKey),
    ),
  }
}

const knownOf = (chain: AccountChain): KnownChain => ({ chain, rival: undefined, compared: 0 })

test("each link is good exactly where the rules allow it, and says what they say [A-4] [A-5] [A-7] [A-9] [A-10]", () => {
  fc.assert(
    fc.property(start, history, ({ hasKey, link }, steps) => {
      let chain = started(link)
      const model = modelOf(hasKey)
      for (const next of steps) {
        const judged = appendLink(chain, linkFor(chain, next))
        expect([next, judged.kind]).toEqual([next, allowed(model, next) ? "good" : "refused"])
        if (judged.kind === "refused") continue
        chain = judged.chain
        change(model, next)
        expect(describeChain(chain)).toEqual({ live: [...model.live], recovery: model.recovery ?? -1 })
      }
    }),
    { numRuns: 150 },
  )
})

test("a chain reads from its bytes as it was judged link by link [A-1] [A-20]", () => {
  fc.assert(
    fc.property(start, history, ({ link }, steps) => {
      const chain = grow(started(link), steps)
      const { links } = readLinks(concat(...chain.links.map(({ bytes }) => bytes)))
      const first = startChain(links[0]!)
      if (first.kind === "refused") throw new Error(first.why)
      expect(extendChain(knownOf(first.chain), links).known).toEqual(knownOf(chain))
    }),
    { numRuns: 60 },
  )
})

test("of a chain that is cut, repeated or in another order, a reader believes the part that stands in order [A-20]", () => {
  const shuffled = fc.array(fc.nat(25), { maxLength: 30 })
  fc.assert(
    fc.property(start, history, shuffled, ({ link }, steps, order) => {
      const chain = grow(started(link), steps)
      const shown = order.flatMap((number) => chain.links[number] ?? [])
      const { known, outcome } = extendChain(knownOf(started(link)), shown)
      expect(chain.links.slice(0, known.chain.links.length)).toEqual(known.chain.links)
      expect(["unchanged", "extended"]).toContain(outcome)
      expect(known.rival).toBeUndefined()
    }),
    { numRuns: 60 },
  )
})

test("a changed byte in a link ends the chain before it [A-1] [A-20]", () => {
  fc.assert(
    fc.property(start, history, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ link }, steps, where, bit) => {
      const chain = grow(started(link), steps)
      const bytes = concat(...chain.links.slice(1).map((each) => each.bytes))
      if (bytes.length === 0) return
      const at = where % bytes.length
      const { links } = readLinks(bytes.with(at, bytes[at]! ^ bit))
      const { known, outcome } = extendChain(knownOf(started(link)), links)
      const lengths = chain.links.slice(1).map((each) => each.bytes.length)
      const whole = lengths.findIndex(
        (_, index) => lengths.slice(0, index + 1).reduce((sum, length) => sum + length, 0) > at,
      )
      expect(known.chain.links).toEqual(chain.links.slice(0, whole + 1))
      expect(outcome).toBe(whole === 0 ? "unchanged" : "extended")
    }),
    { numRuns: 60 },
  )
})

test("two branches lead to one judgement, whichever a reader saw first [A-21] [A-22]", () => {
  fc.assert(
    fc.property(start, history, history, history, ({ link }, common, left, right) => {
      const trunk = grow(started(link), common)
      const [one, other] = [grow(trunk, left), grow(trunk, right)]
      const forward = extendChain(knownOf(one), other.links)
      const backward = extendChain(knownOf(other), one.links)
      const isLocked = forward.known.rival !== undefined
      expect(backward.known.rival !== undefined).toBe(isLocked)
      if (isLocked) {
        expect(forward.known).toEqual({ chain: one, rival: other, compared: 0 })
        expect(backward.known).toEqual({ chain: other, rival: one, compared: 0 })
      } else {
        expect(forward.known).toEqual(backward.known)
        expect([toHex(one.head), toHex(other.head)]).toContain(toHex(forward.known.chain.head))
      }
    }),
    { numRuns: 150 },
  )
})

test("what a stranger signs changes nothing [A-7] [A-20]", () => {
  fc.assert(
    fc.property(start, history, history, fc.nat(), ({ link }, steps, forgeries, where) => {
      const chain = grow(started(link), steps)
      const mallory = byDevice(device("mallory"))
      const at = where % chain.links.length
      const position = { number: at + 1, previous: chain.links[at]!.head }
      const links = forgeries.map((next) =>
        next.do === "add"
          ? addOf(chain, device("mallory"), mallory, { at: position })
          : next.do === "remove"
            ? removeOf(chain, DEVICES[next.device]!.public.sign, mallory, position)
            : recoveryOf(chain, recoveryKey("mallory").publicKey, mallory, position),
      )
      expect(extendChain(knownOf(chain), links).known).toEqual(knownOf(chain))
    }),
    { numRuns: 40 },
  )
})
