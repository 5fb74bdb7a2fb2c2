import { afterEach, beforeEach, expect, test } from "vitest"
import type { BrokerConfig } from "../../src/engine/state/ports.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect, ConnectionState } from "../../src/transport/transport.ts"
import { formatInvitationLink } from "../../src/wire/invitation-link.ts"
import { PairingFixture, type BrokerUser } from "./pairing-fixture.ts"

let fixture: PairingFixture

beforeEach(async () => {
  fixture = await PairingFixture.open()
})
afterEach(() => fixture.end())

/** Member connections, and how each open one is told its state. */
function watched(): { readonly connect: Connect; readonly open: Set<(state: ConnectionState) => void> } {
  const open = new Set<(state: ConnectionState) => void>()
  const connect: Connect = (target, events) => {
    const link = connectMqtt(target, events)
    if (target.credential.kind === "guest") return link
    open.add(events.onState)
    return {
      ...link,
      close: () => {
        open.delete(events.onState)
        return link.close()
      },
    }
  }
  return { connect, open }
}

/** The invitation that a user is just using, as it is typed. */
function typed({ config }: BrokerUser): string {
  const { broker, credential } = config
  if (broker?.trust.kind !== "pin" || credential?.kind !== "invitation")
    throw new Error("no invitation is in use")
  return formatInvitationLink({ address: broker.address, proof: broker.trust, invitation: credential.bytes })
}

/** Alice is just using her invitation. */
async function invited() {
  const network = watched()
  const alice = await fixture.invited("alice", { connect: network.connect })
  return { network, alice, invitation: typed(alice) }
}

async function online(user: BrokerUser): Promise<void> {
  while ((await user.next("connection")).connection.kind !== "online");
}

test("a user who types an invitation while it is being used has one connection in the end", async () => {
  const { network, alice, invitation } = await invited()
  const twice = [1, 2].map(() => alice.client.call("register", { invitation }))

  const [first, second] = await Promise.all(twice)

  expect(first).toEqual(second)
  expect(network.open.size).toBe(1)
  await alice.client.close()
  expect(network.open.size).toBe(0)
})

test("a connection that breaks just as its new certificate is saved does not come back as a second one", async () => {
  const { network, alice, invitation } = await invited()
  await online(alice)
  const [old] = network.open
  let credential = alice.config.credential
  Object.defineProperty(alice.config, "credential", {
    get: () => credential,
    set: (saved: StoredCredential) => {
      credential = saved
      old?.({ kind: "offline", why: new Fault("unavailable", "the network is gone") })
    },
  })

  await alice.client.call("register", { invitation })

  expect(network.open.size).toBe(1)
  await alice.client.close()
  expect(network.open.size).toBe(0)
})

test("an invitation to a broker that is not there does not keep a good one from being used", async () => {
  const { network, alice, invitation } = await invited()
  await alice.client.close()
  const nowhere = { ...alice.config.broker, address: { host: "127.0.0.1", port: 1 } } as BrokerConfig
  const away = { broker: nowhere, credential: alice.config.credential }
  const again = await fixture.openUser("alice", { connect: network.connect }, away)
  expect((await again.next("connection")).connection.kind).toBe("offline")

  await again.client.call("register", { invitation })

  expect(network.open.size).toBe(1)
})
