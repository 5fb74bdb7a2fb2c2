import fc from "fast-check"
import { expect, test } from "vitest"
import {
  BROKER_SECTIONS,
  readBrokerContents,
  writeBrokerContents,
  type BrokerSection,
} from "../../src/backup/broker-contents.ts"
import { concat } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"

type Parts = Partial<Record<BrokerSection, Uint8Array>>

async function written(parts: Parts): Promise<Uint8Array> {
  const sections = BROKER_SECTIONS.flatMap((section) => {
    const bytes = parts[section]
    return bytes === undefined ? [] : [{ section, bytes: [bytes] }]
  })
  const all: Uint8Array[] = []
  for await (const piece of writeBrokerContents(sections)) all.push(piece)
  return concat(...all)
}

function* inPieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

async function* streamed(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (const piece of inPieces(bytes, length)) yield await Promise.resolve(piece)
}

async function read(bytes: Uint8Array, length = 1000): Promise<Parts | Fault> {
  const parts: Parts = {}
  try {
    await readBrokerContents(streamed(bytes, length), async (section, pieces) => {
      const all: Uint8Array[] = []
      for await (const piece of pieces) all.push(piece)
      parts[section] = concat(...all)
    })
    return parts
  } catch (cause) {
    if (cause instanceof Fault) return cause
    throw cause
  }
}

const some = fc.uint8Array({ maxLength: 300 })
const parts: fc.Arbitrary<Parts> = fc.record(
  { keys: some, settings: some, ledger: some, queues: some },
  { requiredKeys: ["keys", "ledger"] },
)

test("the parts of a broker read back unchanged, in pieces of any size [B-7]", async () => {
  await fc.assert(
    fc.asyncProperty(parts, fc.integer({ min: 1, max: 400 }), async (wanted, length) => {
      expect(await read(await written(wanted), length)).toEqual(wanted)
    }),
  )
  const large = { keys: new Uint8Array(3), ledger: new Uint8Array(200_000).fill(7) }
  expect(await read(await written(large))).toEqual(large)
})

test("an export that was cut off anywhere, is continued, or lacks keys or ledger, is refused [B-7]", async () => {
  const bytes = await written({
    keys: new Uint8Array(3),
    ledger: new Uint8Array(20),
    queues: new Uint8Array(9),
  })
  for (let length = 0; length < bytes.length; length++)
    expect(await read(bytes.subarray(0, length))).toMatchObject({ code: "bad-data" })
  expect(await read(concat(bytes, Uint8Array.of(0)))).toMatchObject({ code: "bad-data" })
  for (const lacking of [{ keys: new Uint8Array(3) }, { ledger: new Uint8Array(3) }, {}])
    expect(await read(await written(lacking))).toMatchObject({ code: "bad-data" })
})

test("another version, an unknown part, and parts in another order are refused [B-7]", async () => {
  const bytes = await written({ keys: new Uint8Array(1), ledger: new Uint8Array(1) })
  const changed = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(bytes)
    copy[at] = value
    return copy
  }
  expect([...bytes.subarray(0, 2)]).toEqual([1, 1])
  for (const refused of [changed(0, 2), changed(0, 0), changed(1, 5), changed(1, 3)])
    expect(await read(refused)).toMatchObject({
      ...{ code: "bad-data", message: expect.stringContaining("another version") as unknown },
    })
})
