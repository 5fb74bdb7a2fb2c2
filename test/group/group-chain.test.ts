import fc from "fast-check"
import { expect, test } from "vitest"

import { sealGroupMessage } from "../../src/group/group-message.ts"
import { expectedTags, openInGroup, startReceivingChain } from "../../src/group/receiving-chain.ts"
import {
  chainContext,
  decodeSenderKey,
  encodeSenderKey,
  epochName,
  GROUP_CHAIN_MAX,
  type SenderKey,
} from "../../src/group/sender-key.ts"
import {
  sealInGroup,
  senderKeyOf,
  startSendingChain,
  type SendingChain,
} from "../../src/group/sending-chain.ts"
import { TagIndex } from "../../src/group/tag-index.ts"
import { messageKeyOf, tagBlock, tagIn } from "../../src/session/chain.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { seededRandom, text, textsOf } from "../session/session-fixture.ts"
import { changed, deviceOf, ofThree } from "./group-fixture.ts"

const [bob, mallory] = ["bob", "mallory"].map(deviceOf) as [
  ReturnType<typeof deviceOf>,
  ReturnType<typeof deviceOf>,
]
const bobsChain = (epoch = ofThree()) => startSendingChain(epochName(epoch), 7, seededRandom("bob speaks"))
const receiving = (key: SenderKey, sender = bob) => startReceivingChain(key, sender)

function sealed(chain: SendingChain, frames: readonly Frame[], own = bob) {
  const result = sealInGroup(chain, frames, own)
  if (result.kind === "refused") throw new Error(result.why)
  return result
}
/** So many messages, each says its number. */
function conversation(count: number, chain = bobsChain()) {
  const wires: Uint8Array[] = []
  for (let n = 0; n < count; n += 1) {
    const { wire, next } = sealed(chain, text(`text ${n}`))
    wires.push(wire)
    chain = next
  }
  return { wires, chain }
}
/** A number's text, or why it was refused. */
function read(chain: ReturnType<typeof receiving>, wire: Uint8Array, n: number) {
  const opened = openInGroup(chain, wire, n)
  return opened.kind === "opened" ? textsOf(opened.frames)[0] : opened.why
}

test("a sender key is written one way and read back [G-20]", () => {
  const key = senderKeyOf(bobsChain())
  const bytes = encodeSenderKey(key)
  expect(bytes.length).toBe(154)
  expect(decodeSenderKey(bytes)).toEqual(key)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const other = decodeSenderKey(bytes.with(at, bytes[at]! ^ flip))
      if (other !== undefined) expect(encodeSenderKey(other)).toEqual(bytes.with(at, bytes[at]! ^ flip))
    }),
  )
})

test("a sender key is refused with a number beyond the chain, a weak key or another length [G-20]", () => {
  const key = senderKeyOf(bobsChain())
  const decoded = (change: Partial<SenderKey>) => decodeSenderKey(encodeSenderKey({ ...key, ...change }))
  expect(decoded({ n: GROUP_CHAIN_MAX - 1 })).toBeDefined()
  expect(decoded({ n: GROUP_CHAIN_MAX })).toBeUndefined()
  expect(decoded({ verifyKey: new Uint8Array(32) as SenderKey["verifyKey"] })).toBeUndefined()
  expect(decodeSenderKey(encodeSenderKey(key).slice(1))).toBeUndefined()
  expect(decoded({ epoch: { ...key.epoch, number: 65_536 } })).toBeUndefined()
})

test("what one seals the others open, each once, in any order, whatever was lost [G-22] [G-25]", () => {
  const { wires } = conversation(40)
  const order = fc.shuffledSubarray([...wires.keys()], { minLength: 1 })
  fc.assert(
    fc.property(order, (numbers) => {
      let chain = receiving(senderKeyOf(bobsChain()))
      for (const n of numbers) {
        const opened = openInGroup(chain, wires[n]!, n)
        if (opened.kind === "refused") throw new Error(opened.why)
        expect(textsOf(opened.frames)).toEqual([`text ${n}`])
        chain = opened.next
        expect(read(chain, wires[n]!, n)).toBe("replayed")
      }
      expect(chain.skipped.length + numbers.length).toBe(chain.n)
    }),
    { numRuns: 30 },
  )
})

test("a key that is given later opens nothing of before [G-20]", () => {
  const { wires, chain } = conversation(3)
  const late = senderKeyOf(chain)
  expect([late.n, late.firstNumber]).toEqual([3, 10])
  expect(wires.map((wire, n) => read(receiving(late), wire, n))).toEqual(["replayed", "replayed", "replayed"])
  expect(read(receiving(late), sealed(chain, text("since")).wire, 3)).toBe("since")
})

test("a chain ends after 200 messages, and its reader knows all their tags [G-24] [G-25]", () => {
  const { chain, wires } = conversation(GROUP_CHAIN_MAX)
  expect(sealInGroup(chain, text("more"), bob)).toEqual({ kind: "refused", why: "chain-full" })
  const fresh = receiving(senderKeyOf(bobsChain()))
  const tags = [...expectedTags(fresh)].map(([tag, n]) => [String(tag), n])
  expect(tags).toEqual(wires.map((wire, n) => [String(wire.subarray(0, 16)), n]))
  const opened = openInGroup(fresh, wires[20]!, 20)
  if (opened.kind === "refused") throw new Error(opened.why)
  expect([...expectedTags(opened.next)].map(([, n]) => n)).toEqual([...wires.keys()].filter((n) => n !== 20))
})

test("any changed bit is refused, and changes nothing [G-23]", () => {
  const chain = receiving(senderKeyOf(bobsChain()))
  const { wires } = conversation(1)
  const [wire] = wires as [Uint8Array]
  for (let at = 0; at < wire.length; at += 1) {
    expect(read(chain, wire.with(at, wire[at]! ^ 1), 0)).toBe("forged")
  }
  expect(read(chain, wire, 0)).toBe("text 0")
})

test("a message is refused at another place, in another epoch and from another device [G-21] [G-22]", () => {
  const key = senderKeyOf(bobsChain())
  const { wires } = conversation(2)
  expect(read(receiving(key), wires[1]!, 0)).toBe("forged")
  expect(read(receiving(key, mallory), wires[0]!, 0)).toBe("forged")
  const next = changed(ofThree(), ofThree().members)
  expect(read(receiving({ ...key, epoch: epochName(next) }), wires[0]!, 0)).toBe("forged")
  expect(read(receiving(key), wires[0]!.slice(0, -1), 0)).toBe("malformed")
})

test("Mallory, who has Bob's key as every member does, cannot speak as Bob [G-23]", () => {
  const bobs = bobsChain()
  const { signingKey } = startSendingChain(bobs.epoch, 0, seededRandom("mallory's own"))
  const forged = sealed({ ...bobs, signingKey }, text("I am Bob")).wire
  expect(read(receiving(senderKeyOf(bobs)), forged, 0)).toBe("forged")
})

test("Mallory, who gives out Bob's keys as her own, takes over none of his tags [G-21]", () => {
  const key = senderKeyOf(bobsChain())
  const bobsTags = new Set([...expectedTags(receiving(key))].map(([tag]) => String(tag)))
  const malloryTags = [...expectedTags(receiving(key, mallory))].map(([tag]) => String(tag))
  expect(malloryTags.filter((tag) => bobsTags.has(tag))).toEqual([])
})

/** Seals with everything right but what `change` says. */
function sealedWith(header: { epoch?: number; n?: number }, frames: readonly Frame[] = text("x")) {
  const chain = bobsChain()
  const context = { ...chainContext(chain, bob), messageKey: messageKeyOf(chain.chainKey) }
  const place = { n: header.n ?? 0, tag: tagIn(tagBlock(context.headerKey, 0), 0) }
  const epoch = header.epoch ?? context.epoch
  return sealGroupMessage(frames, { ...context, epoch }, place, chain.signingKey)!
}

test("a header of another number or epoch is refused, though Bob signed it [G-22]", () => {
  const chain = receiving(senderKeyOf(bobsChain()))
  expect(read(chain, sealedWith({}), 0)).toBe("x")
  expect(read(chain, sealedWith({ n: 1 }), 0)).toBe("forged")
  expect(read(chain, sealedWith({ epoch: 0 }), 0)).toBe("forged")
})

test("frames that no bucket holds are not sealed, and no second SIG is [W-80]", () => {
  const long = text("x".repeat(66_000))
  expect(sealInGroup(bobsChain(), long, bob)).toEqual({ kind: "refused", why: "too-long" })
  const twice: Frame[] = [{ kind: "sig", signature: new Uint8Array(64) }, ...text("x")]
  expect(sealInGroup(bobsChain(), twice, bob)).toEqual({ kind: "refused", why: "too-long" })
})

test("a stranger's message costs one look-up, a member's is found among 128 [G-25]", () => {
  const index = new TagIndex()
  const chains = Array.from({ length: 128 }, (_, at) => {
    const sending = startSendingChain(epochName(ofThree()), 0, seededRandom(`member ${at}`))
    index.add(at, receiving(senderKeyOf(sending)))
    return sending
  })
  for (const [at, chain] of chains.entries()) {
    expect(index.find(sealed(chain, text("x")).wire)).toContainEqual({ chain: at, n: 0 })
  }
  const random = seededRandom("a stranger")
  const found = Array.from({ length: 1000 }, () => index.find(random(256))).filter(({ length }) => length > 0)
  expect(found).toEqual([])
})

test("two tags with the same first 30 bits are both found [G-25]", () => {
  const index = new TagIndex()
  const chain = receiving(senderKeyOf(bobsChain()))
  index.add(1, chain)
  index.add(2, chain)
  const matches = index.find(sealed(bobsChain(), text("x")).wire)
  expect(matches).toEqual([
    { chain: 1, n: 0 },
    { chain: 2, n: 0 },
  ])
})

test("each chain has keys of its own, though all members know them [G-20]", () => {
  const keys = ["one", "two"].map((seed) => startSendingChain(epochName(ofThree()), 0, seededRandom(seed)))
  const secrets = keys.flatMap(({ chainKey, headerKey, signingKey }) => [chainKey, headerKey, signingKey])
  expect(new Set(secrets.map(String)).size).toBe(6)
  const context = chainContext(keys[0]!, bob)
  expect(context.headerKey).not.toEqual(keys[0]!.headerKey)
})
