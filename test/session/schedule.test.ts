import { afterAll, beforeAll, expect, test } from "vitest"
import { BACKENDS, useBackend, type BackendName } from "../../src/crypto/nacl.ts"
import { open } from "../../src/session/ratchet.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import { NetworkModel, type Endpoint } from "./network-model.ts"
import { flipped, NOW } from "./session-fixture.ts"

/** Texts of both sides together, over all schedules; `npm run test:soak` has them all. */
const MESSAGES = process.env["MQTTCHAT_SOAK"] === undefined ? 3_000 : 10_000
const SCHEDULES = 4
const EACH = MESSAGES / SCHEDULES / 2

const usable: BackendName[] = []
beforeAll(async () => {
  for (const name of BACKENDS) {
    const active = await useBackend(name).catch(() => undefined)
    if (active !== undefined) usable.push(active)
  }
})
afterAll(async () => {
  await useBackend("tweetnacl")
})

/** At times Alice sends most, at times Bob, at times both the same. */
function wantsToSend(network: NetworkModel, endpoint: Endpoint): boolean {
  if (endpoint.sentCount >= EACH) return false
  const talkative = Math.floor(network.now / 30) % 3
  return network.roll(3) < (talkative === (endpoint === network.alice ? 0 : 1) ? 2 : 1)
}

function act(network: NetworkModel, endpoint: Endpoint): void {
  if (wantsToSend(network, endpoint)) network.sendNext(endpoint)
  if (network.roll(60) === 0) endpoint.session = decodeSession(encodeSession(endpoint.session))!
}

/** Changes backends, so that one opens what another has sealed. */
async function changeBackend(network: NetworkModel): Promise<void> {
  await useBackend(usable[network.roll(usable.length)])
}

/** Both ends refuse a message with one changed bit, and stay unchanged. */
function tamper(network: NetworkModel): void {
  const delivery = network.network[0]
  if (delivery === undefined) return
  const changed = flipped(delivery.wire, 128 + network.roll(delivery.wire.length * 8 - 128))
  for (const { session } of [network.alice, network.bob]) {
    const before = encodeSession(session)
    expect(open(session, changed, NOW).kind).toBe("refused")
    expect(encodeSession(session)).toEqual(before)
  }
}

test.each(Array.from({ length: SCHEDULES }, (_, n) => n))(
  "loss, duplicates, reordering, both at once, restarts, any backend: nothing is lost, nothing shown twice (%i)",
  async (schedule) => {
    const network = new NetworkModel(`schedule ${schedule}`)
    const { alice, bob } = network
    for (; alice.sentCount + bob.sentCount < 2 * EACH || network.busy; network.now += 1) {
      if (network.now % 40 === 0) await changeBackend(network)
      act(network, alice)
      act(network, bob)
      if (network.roll(40) === 0) tamper(network)
      for (let step = 0; step < 3 && network.network.length > 0; step += 1) network.deliver()
      network.retransmit()
    }
    for (const reader of [alice, bob]) {
      const { name } = network.peerOf(reader)
      const all = Array.from({ length: EACH }, (_, n) => `${name} ${n}`)
      expect(reader.shown.toSorted()).toEqual(all.toSorted())
    }
    // The schedule did have its faults, and the post-quantum steps did complete.
    expect(network.refusals.get("unknown-tag")).toBeGreaterThan(50)
    expect([...network.refusals.keys()]).not.toContain("forged")
    expect(alice.session.pq.lastId).toBeGreaterThan(5)
  },
)
