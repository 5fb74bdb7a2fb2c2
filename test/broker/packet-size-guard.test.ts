import { once } from "node:events"
import { Duplex } from "node:stream"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { UNLIMITED } from "../../src/broker/limits/packet-rates.ts"
import {
  CONNECT_MAX_BYTES,
  type PacketBudget,
  type PacketKind,
  PacketScanner,
  type Scan,
} from "../../src/broker/limits/packet-scanner.ts"
import { guardReads, PACKET_MAX_BYTES } from "../../src/broker/limits/packet-size-guard.ts"

const CONNECT = 0x10
const PUBLISH = 0x30
const SUBSCRIBE = 0x82
const UNSUBSCRIBE = 0xa2
const PINGREQ = 0xc0

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
  const scanner = new PacketScanner(UNLIMITED)
  return chunks.every((chunk) => scanner.scan(chunk, Infinity).kind === "admit")
}

/** SUBSCRIBE (0x82) or UNSUBSCRIBE (0xa2) with these filters (sections 3.8 and 3.10). */
function filtersPacket(first: number, filters: readonly string[]): Buffer {
  const qos = first === SUBSCRIBE ? [1] : []
  const parts = filters.map((filter) =>
    Buffer.concat([
      Buffer.from([filter.length >> 8, filter.length & 255]),
      Buffer.from(filter),
      Buffer.from(qos),
    ]),
  )
  const body = Buffer.concat([Buffer.from([0, 7]), ...parts])
  return Buffer.concat([packet(first, body.length).subarray(0, -body.length), body])
}

/** Notes what is charged, and gives so many packets. */
class CountingBudget implements PacketBudget {
  packetMaxBytes = PACKET_MAX_BYTES
  filtersMax = Infinity
  readonly charged: [PacketKind, number][] = []
  readonly #answers: (number | undefined)[]

  constructor(...answers: (number | undefined)[]) {
    this.#answers = answers
  }

  begin = (kind: PacketKind): number | undefined => {
    const answer = this.#answers.length === 0 ? 0 : this.#answers.shift()
    if (answer === 0) this.charged.push([kind, 1])
    return answer
  }

  spend = (kind: PacketKind, units: number): boolean => {
    this.charged.push([kind, units])
    return true
  }

  total(kind: PacketKind): number {
    return this.charged.reduce((sum, [of, units]) => (of === kind ? sum + units : sum), 0)
  }
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

describe("what packets cost", () => {
  test("each packet by its kind, each filter, and a long payload by its length", () => {
    const budget = new CountingBudget()
    const scanner = new PacketScanner(budget)
    const packets = [
      packet(CONNECT, 12),
      packet(PUBLISH, 100),
      packet(PUBLISH, 20_000),
      filtersPacket(SUBSCRIBE, ["a", "mc/1/p/17", "b"]),
      filtersPacket(UNSUBSCRIBE, ["a", "b"]),
      packet(PINGREQ, 0),
      packet(0x40, 2),
      packet(0x62, 2),
    ]
    expect(scanner.scan(Buffer.concat(packets), Infinity)).toEqual({ kind: "admit" })
    const kinds: PacketKind[] = ["publish", "subscribe", "unsubscribe", "pingreq", "puback", "other"]
    expect(kinds.map((kind) => budget.total(kind))).toEqual([2 + 4, 1 + 3, 1 + 2, 1, 1, 2])
  })

  test("filters are counted however the bytes are split", () => {
    const filter = fc.string({ unit: fc.constantFrom("a", "+", "\u0000"), maxLength: 300 })
    fc.assert(
      fc.property(
        fc.constantFrom(SUBSCRIBE, UNSUBSCRIBE),
        fc.array(filter, { minLength: 1, maxLength: 20 }),
        fc.array(fc.nat(4_000), { maxLength: 10 }),
        (first, filters, cuts) => {
          const stream = Buffer.concat([
            packet(CONNECT, 12),
            filtersPacket(first, filters),
            packet(PINGREQ, 0),
          ])
          const edges = [0, ...cuts.map((cut) => cut % stream.length).sort((a, b) => a - b), stream.length]
          const budget = new CountingBudget()
          const scanner = new PacketScanner(budget)
          for (const [i, edge] of edges.slice(1).entries())
            expect(scanner.scan(stream.subarray(edges[i], edge), Infinity).kind).toBe("admit")
          const kind = first === SUBSCRIBE ? "subscribe" : "unsubscribe"
          expect([budget.total(kind), budget.total("pingreq")]).toEqual([1 + filters.length, 1])
        },
      ),
      { numRuns: 100 },
    )
  })

  test("a packet that has to wait is not begun: it is scanned again with what follows", () => {
    const budget = new CountingBudget(0, 0, 250, 0)
    const scanner = new PacketScanner(budget)
    const head = Buffer.concat([packet(CONNECT, 12), packet(PINGREQ, 0)])
    const rest = Buffer.concat([packet(PUBLISH, 5), packet(PINGREQ, 0)])
    expect(scanner.scan(Buffer.concat([head, rest]), Infinity)).toEqual({
      kind: "wait",
      bytes: head.length,
      ms: 250,
    } satisfies Scan)
    expect(scanner.scan(rest, Infinity)).toEqual({ kind: "admit" })
    expect([budget.total("publish"), budget.total("pingreq")]).toEqual([1, 2])
  })

  test("of one chunk no more packets are read in one turn than that", () => {
    const scanner = new PacketScanner(UNLIMITED)
    const pings = Buffer.alloc(20, packet(PINGREQ, 0))
    expect(scanner.scan(packet(CONNECT, 12), 4)).toEqual({ kind: "admit" })
    expect(scanner.scan(pings, 4)).toEqual({ kind: "wait", bytes: 8, ms: 0 })
  })

  test("a budget that is spent, or a packet with too many filters, ends the connection before it was read", () => {
    const spent = new PacketScanner(new CountingBudget(0, undefined))
    expect(spent.scan(Buffer.concat([packet(CONNECT, 12), packet(PINGREQ, 0)]), Infinity)).toEqual({
      kind: "refuse",
    })
    const few = new PacketScanner({ ...UNLIMITED, filtersMax: 2 })
    expect(few.scan(packet(CONNECT, 12), Infinity).kind).toBe("admit")
    expect(few.scan(filtersPacket(SUBSCRIBE, ["a", "b"]), Infinity).kind).toBe("admit")
    expect(few.scan(filtersPacket(SUBSCRIBE, ["a", "b", "c"]), Infinity).kind).toBe("refuse")
  })
})

test("what was sent before the end of a stream is read before it, even if it has to wait", async () => {
  const conn = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => taken() })
  guardReads(conn, { ...UNLIMITED, begin: new CountingBudget(0, 5).begin })
  const read: Buffer[] = []
  conn.on("readable", () => {
    const chunk: unknown = conn.read()
    if (chunk instanceof Buffer) read.push(chunk)
  })
  conn.push(Buffer.concat([packet(CONNECT, 12), packet(PINGREQ, 0)]))
  conn.push(null)
  await once(conn, "end")
  expect(read.map(({ length }) => length)).toEqual([14, 2])
})

test("nothing is read from a client that does not read; what waits is read as soon as it does", async () => {
  const taking: (() => void)[] = []
  const conn = new Duplex({ read: () => undefined, write: (_chunk, _encoding, taken) => taking.push(taken) })
  guardReads(conn, UNLIMITED)
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
