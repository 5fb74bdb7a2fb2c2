import { describe, expect, test } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import { movedTo, withAddresses } from "../../src/engine/connection/moved-broker.ts"
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

test("a broker that moves to one of its other addresses is named there once, and has no list of none", () => {
  const two: BrokerConfig = { ...ONE, others: [node(2)] }
  expect(movedTo(two, node(2), {})).toStrictEqual({ ...ONE, address: node(2) })
  expect(movedTo(BOTH, node(7), {})).toStrictEqual({ ...BOTH, address: node(1), guests: node(7) })
})

test("what is known of a broker stays at its typed address, and nothing is made up", () => {
  const registrar = new Uint8Array(32).fill(1) as PublicKey
  const known: BrokerConfig = { ...GUESTS_APART, registrar }
  expect(withAddresses(known, [node(5)], ONE.trust)).toStrictEqual({ ...known, address: node(5) })
  expect(withAddresses({ ...known, mqttVersion: 4 }, [node(5)], ONE.trust)).toStrictEqual({
    ...known,
    address: node(5),
    mqttVersion: 4,
  })
  expect(withAddresses(undefined, [node(5)], ONE.trust)).toStrictEqual({ ...ONE, address: node(5) })
})
