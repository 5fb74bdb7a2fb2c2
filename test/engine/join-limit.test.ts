import { expect, test } from "vitest"
import { Fault } from "../../src/errors.ts"
import type { Connect, Transport } from "../../src/transport/transport.ts"
import { encodeInvitation } from "../../src/wire/registration.ts"
import { formatInvitationLink } from "../../src/wire/invitation-link.ts"
import type { BrokerConfig } from "../../src/engine/state/ports.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { EngineFixture } from "./engine-fixture.ts"
import { faultOf } from "../transport/transport-fixture.ts"

const REFUSED = "the broker at broker.example:8883 is not running: connection refused"

/** A broker that is not there: each try says so. */
const nowhere: Connect = (_target, events): Transport => {
  queueMicrotask(() => events.onState({ kind: "offline", why: new Fault("unavailable", REFUSED) }))
  const done = () => Promise.resolve()
  return {
    ...{ publish: done, subscribe: done, unsubscribe: done, close: done },
    serverPins: () => [],
    retry: () => undefined,
  }
}

function invitationAt(host: string): string {
  const invitation = encodeInvitation({
    user: new Uint8Array(16).fill(1),
    secret: new Uint8Array(16).fill(2),
    registrar: new Uint8Array(32).fill(9) as never,
    expiresAt: 2_000_000_000,
  })
  const proof = { kind: "pin", pin: new Uint8Array(16).fill(3) } as const
  return formatInvitationLink({ address: { host, port: 8883 }, proof, invitation })
}

/** Alice, who has no broker yet. */
async function newcomer() {
  const fixture = new EngineFixture()
  let broker: BrokerConfig | undefined
  let credential: StoredCredential | undefined
  const alice = await fixture.profile("alice", {
    connect: nowhere,
    config: {
      broker: () => broker,
      credential: () => credential,
      saveBroker: (saved) => Promise.resolve(void (broker = saved)),
      saveCredential: (saved) => Promise.resolve(void (credential = saved)),
      saveHints: () => Promise.resolve(),
      reload: () => undefined,
    },
  })
  return { fixture, alice, credential: () => credential }
}

test("[D-177] registering at a broker that is not there ends in time, says why, and keeps the invitation", async () => {
  const { fixture, alice, credential } = await newcomer()
  const invitation = invitationAt("broker.example")
  const why = faultOf(alice.client.call("register", { invitation, timeoutMs: 5_000 }))
  await import("../../src/engine/pairing/register.ts")
  await fixture.clock.pass(6_000)
  expect(await why).toMatchObject({ code: "unavailable" })
  expect((await why).message).toContain(REFUSED)
  expect((await why).message).toContain("the invitation is kept")
  expect(credential()?.kind).toBe("invitation")
})

test("[D-177] without a time of its own it ends after half a minute, and a second one that waits for its turn with it", async () => {
  const { fixture, alice } = await newcomer()
  const invitation = invitationAt("broker.example")
  await import("../../src/engine/pairing/register.ts")
  const faults = Promise.all([1, 2].map(() => faultOf(alice.client.call("register", { invitation }))))
  await fixture.clock.pass(31_000)
  expect((await faults).map(({ code }) => code)).toEqual(["unavailable", "unavailable"])
})
