import { Duplex } from "node:stream"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  CONNECT_MAX_BYTES,
  guardReads,
  PACKET_MAX_BYTES,
  PacketScanner,
} from "../../src/broker/limits/packet-size-guard.ts"

const CONNECT = 0x10
const PUBLISH = 0x30

/** A packet of `length` bytes after its header (MQTT 3.1.1, section 2.2.3). */
function packet(first: number, length: number): Buffer {
  const header = [first]
  let rest = length
  do {
    header.push((rest % 128) | (rest >= 128 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length)])
}

function admits(...chunks: Uint8Array[]): boolean {
  const scanner = new PacketScanner()
  return chunks.every((chunk) => scanner.admit(chunk))
}

describe("the packet size guard", () => {
  test("lets a CONNECT of the largest size pass, and none that is one byte longer", () => {
    expect(admits(packet(CONNECT, CONNECT_MAX_BYTES))).toBe(true)
    expect(admits(packet(CONNECT, CONNECT_MAX_BYTES + 1))).toBe(false)
  })

  test("lets a later packet of the largest size pass, and none that is one byte longer", () => {
    expect(admits(packet(CONNECT, 20), packet(PUBLISH, PACKET_MAX_BYTES))).toBe(true)
    expect(admits(packet(CONNECT, 20), packet(PUBLISH, PACKET_MAX_BYTES + 1))).toBe(false)
  })

  test("lets no packet pass before CONNECT", () => {
    expect(admits(packet(PUBLISH, 5))).toBe(false)
    expect(admits(Buffer.from("GET / HTTP/1.1\r\n"))).toBe(false)
  })

  test("refuses a length of more than four bytes as soon as it is seen", () => {
    expect(admits(packet(CONNECT, 20), Buffer.from([PUBLISH, 0x80, 0x80, 0x80]))).toBe(true)
    expect(admits(packet(CONNECT, 20), Buffer.from([PUBLISH, 0x80, 0x80, 0x80, 0x80]))).toBe(false)
  })

  test("gives the same result however the bytes are split", () => {
    const lengths = fc.array(
      fc.oneof(fc.nat(300), fc.integer({ min: PACKET_MAX_BYTES - 2, max: PACKET_MAX_BYTES + 2 })),
      {
        maxLength: 6,
      },
    )
    fc.assert(
      fc.property(lengths, fc.array(fc.nat(70_000), { maxLength: 10 }), (bodies, cuts) => {
        const stream = Buffer.concat([
          packet(CONNECT, 12),
          ...bodies.map((length) => packet(PUBLISH, length)),
        ])
        const edges = [0, ...cuts.map((cut) => cut % stream.length).sort((a, b) => a - b), stream.length]
        const chunks = edges.slice(1).map((edge, i) => stream.subarray(edges[i], edge))
        expect(admits(...chunks)).toBe(bodies.every((length) => length <= PACKET_MAX_BYTES))
      }),
      { numRuns: 60 },
    )
  })
})

test("nothing is read from a client that does not read; what waits is read as soon as it does", async () => {
  const taking: (() => void)[] = []
  const conn = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => taking.push(taken) })
  guardReads(conn)
  conn.push(packet(CONNECT, 12))
  expect(conn.read()).toHaveLength(14)
  conn.write(Buffer.alloc(64 * 1024))
  conn.write(Buffer.alloc(1))
  conn.push(Buffer.from([0xc0, 0]))
  expect([conn.read(), conn.read()]).toEqual([null, null])
  const readable = new Promise((resolve) => conn.once("readable", resolve))
  for (let taken = taking.shift(); taken !== undefined; taken = taking.shift()) taken()
  await readable
  expect(conn.read()).toEqual(Buffer.from([0xc0, 0]))
})
