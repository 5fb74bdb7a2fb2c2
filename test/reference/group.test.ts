import { expect, test } from "vitest"
import { concat, hex, int, toHex } from "./bytes.ts"
import { writeFrame, type Frame } from "./frames.ts"
import {
  chainOf,
  epochBytes,
  epochHash,
  groupId,
  keyAfter,
  sealForGroup,
  topicId,
  type Roster,
} from "./group.ts"
import { signKey } from "./primitives.ts"
import { messageId } from "./ratchet.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type Epoch = Record<"group" | "before" | "secret" | "bytes" | "hash" | "topic", string> & {
  number: number
  members: Roster
}
type Message = { senderKey: string; frames: Frame[]; wire: string; mid: string }

const vectors = vectorsOf("groups.json") as {
  founding: Record<"founder" | "random" | "group", string>
  epochs: [Epoch, Epoch]
  device: string
  signingSecret: string
  messages: Message[]
}
const { founding, epochs } = vectors

test("the id of a group [G-1]", () => {
  expect(toHex(groupId(hex(founding.founder), hex(founding.random)))).toBe(founding.group)
})

test("the bytes, the hash and the topic of an epoch [G-3] [G-5] [G-6]", () => {
  for (const { group, number, before, secret, members, bytes, hash, topic } of epochs) {
    const epoch = epochBytes([hex(group), int(number, 4), hex(before), hex(secret)], members)
    expect(toHex(epoch)).toBe(bytes)
    expect(toHex(epochHash(epoch))).toBe(hash)
    expect(toHex(topicId(hex(group), hex(secret)))).toBe(topic)
    const accounts = members.map(({ account }) => account)
    expect(accounts).toEqual([...accounts].sort())
  }
  expect(epochs[1].before).toBe(epochs[0].hash)
})

test("messages with their signatures, each by the key that was given before it [G-20] [G-21] [G-22] [G-23]", () => {
  let chainKey: string | undefined
  for (const { senderKey, frames, wire, mid } of vectors.messages) {
    expect(senderKey.slice(0, 104)).toBe(epochs[1].group + toHex(int(epochs[1].number, 4)) + epochs[1].hash)
    const chain = chainOf(senderKey, hex(vectors.device))
    expect(toHex(signKey(hex(vectors.signingSecret)))).toBe(toHex(chain.verifyKey))
    expect(frames[0]!["number"]).toBe(chain.firstNumber)
    if (chainKey !== undefined) expect(toHex(chain.chainKey)).toBe(chainKey)
    const sealed = sealForGroup(chain, concat(...frames.map(writeFrame)), hex(vectors.signingSecret))
    expect(toHex(sealed)).toBe(wire)
    expect(toHex(messageId(sealed))).toBe(mid)
    chainKey = keyAfter(chain)
  }
})

test("no value is left unread", () => {
  expect(unreadOf("groups.json")).toEqual([])
})
