import { describe, expect, test } from "vitest"
import type { BrokerHome } from "../../src/chat/ports.ts"
import {
  doorOf,
  isAddressOf,
  membersOf,
  nodesOf,
  placesOf,
  waysFor,
} from "../../src/chat/contacts/whereabouts.ts"

const node = (port: number) => ({ host: "broker.example", port })
const ONE: BrokerHome = { address: node(1), trust: { kind: "name" } }
const SEVERAL: BrokerHome = { ...ONE, others: [node(2), node(3)] }
const GUESTS_APART: BrokerHome = { ...ONE, guests: node(9) }
const BOTH: BrokerHome = { ...SEVERAL, guests: node(9) }

describe.each([
  ["a broker of one address", ONE, [node(1)], node(1)],
  ["a broker of several nodes", SEVERAL, [node(1), node(2), node(3)], node(1)],
  ["a broker where guests have a port of their own", GUESTS_APART, [node(1)], node(9)],
  ["several nodes and a port for guests", BOTH, [node(1), node(2), node(3)], node(9)],
])("%s", (_, broker, nodes, door) => {
  test("sends members and guests where they belong", () => {
    expect(nodesOf(broker)).toEqual(nodes)
    expect(doorOf(broker)).toEqual(door)
    const { address, others = [] } = waysFor(broker, { kind: "device" })
    expect([address, ...others]).toEqual(nodes)
    expect(waysFor(broker, { kind: "guest" }).address).toEqual(door)
    for (const at of [...nodes, door]) expect(isAddressOf(broker, at)).toBe(true)
    expect(isAddressOf(broker, node(7))).toBe(false)
  })

  test("is known to the newcomer who came in at its door as it is to the member who sent him", () => {
    expect({ ...placesOf(doorOf(broker), membersOf(broker)), trust: broker.trust }).toEqual(broker)
  })
})

test("nothing is said of members who connect where the newcomer came in", () => {
  expect(membersOf(ONE)).toEqual({})
})
