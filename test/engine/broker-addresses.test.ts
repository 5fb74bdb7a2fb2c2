import { describe, expect, test } from "vitest"
import type { BrokerConfig } from "../../src/engine/state/ports.ts"
import {
  guestAddressOf,
  isAddressOf,
  membersOf,
  addressesOf,
  addressesFrom,
  routesFor,
} from "../../src/engine/connection/broker-addresses.ts"

const node = (port: number) => ({ host: "broker.example", port })
const ONE: BrokerConfig = { address: node(1), trust: { kind: "name" } }
const SEVERAL: BrokerConfig = { ...ONE, others: [node(2), node(3)] }
const GUESTS_APART: BrokerConfig = { ...ONE, guests: node(9) }
const BOTH: BrokerConfig = { ...SEVERAL, guests: node(9) }

describe.each([
  ["a broker of one address", ONE, [node(1)], node(1)],
  ["a broker of several nodes", SEVERAL, [node(1), node(2), node(3)], node(1)],
  ["a broker where guests have a port of their own", GUESTS_APART, [node(1)], node(9)],
  ["several nodes and a port for guests", BOTH, [node(1), node(2), node(3)], node(9)],
])("%s", (_, broker, nodes, guestAddress) => {
  test("sends members and guests to their own addresses", () => {
    expect(addressesOf(broker)).toEqual(nodes)
    expect(guestAddressOf(broker)).toEqual(guestAddress)
    const { address, others = [] } = routesFor(broker, { kind: "device" })
    expect([address, ...others]).toEqual(nodes)
    expect(routesFor(broker, { kind: "guest" }).address).toEqual(guestAddress)
    for (const at of [...nodes, guestAddress]) expect(isAddressOf(broker, at)).toBe(true)
    expect(isAddressOf(broker, node(7))).toBe(false)
  })

  test("is the same broker for a newcomer who came as a guest and for the member who invited them", () => {
    expect({ ...addressesFrom(guestAddressOf(broker), membersOf(broker)), trust: broker.trust }).toEqual(
      broker,
    )
  })
})

test("no member address is passed on if members use the guest address", () => {
  expect(membersOf(ONE)).toEqual({})
})
