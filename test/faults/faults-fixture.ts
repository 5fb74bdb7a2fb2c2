import type { TestContext } from "vitest"

import type { RealBroker } from "./brokers.ts"
import { expectInvariants } from "./invariants.ts"
import { openProxy, type Proxy } from "./proxy.ts"
import { pairActors, direction, Actor, untilSettled } from "./actors.ts"

/** Two contacts who reach a real broker through one proxy. */
export type FaultsFixture = { readonly alice: Actor; readonly bob: Actor; readonly proxy: Proxy }

/** For engines an hour is three minutes: what they repeat after 5 s comes in a quarter of a second. */
const PACE = 20

/** The test's own `onTestFinished`, since several tests run at once. */
type Ending = Pick<TestContext, "onTestFinished">

export async function openFaultsFixture(
  open: () => Promise<RealBroker>,
  { onTestFinished }: Ending,
): Promise<FaultsFixture> {
  const broker = await open()
  onTestFinished(broker.end)
  const devices = [await broker.device(), await broker.device()] as const
  const { authority, folder, port: brokerPort } = broker
  const proxy = await openProxy({ authority, brokerPort, devices })
  onTestFinished(proxy.close)
  const location = { authority, folder, port: proxy.port }
  const [alice, bob] = await pairedActors(location, devices)
  onTestFinished(() => alice.stop())
  onTestFinished(() => bob.stop())
  return { alice, bob, proxy }
}

/** They have paired, and each has received from the other. */
export async function pairedActors(
  location: ConstructorParameters<typeof Actor>[1],
  devices: readonly [ConstructorParameters<typeof Actor>[2], ConstructorParameters<typeof Actor>[2]],
): Promise<readonly [Actor, Actor]> {
  const alice = await new Actor("alice", location, devices[0], PACE).start()
  const bob = await new Actor("bob", location, devices[1], PACE).start()
  await pairActors(alice, bob)
  await alice.send(bob, "hello")
  await bob.send(alice, "hello")
  await untilSettled(alice, bob)
  return [alice, bob]
}

export async function expectInvariantsBothWays(alice: Actor, bob: Actor): Promise<void> {
  expectInvariants(await direction(alice, bob))
  expectInvariants(await direction(bob, alice))
}
