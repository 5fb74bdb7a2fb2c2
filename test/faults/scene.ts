import type { TestContext } from "vitest"

import type { RealBroker } from "./brokers.ts"
import { expectLaw } from "./law.ts"
import { openProxy, type Proxy } from "./proxy.ts"
import { acquaint, direction, Resident, untilSettled } from "./residents.ts"

/** Two who know each other and reach a real broker through one proxy. */
export type Scene = { readonly alice: Resident; readonly bob: Resident; readonly proxy: Proxy }

/** For engines an hour is three minutes: what they repeat after 5 s comes within a moment. */
const PACE = 20

/** The story's own `onTestFinished`: several are told at once. */
type Ending = Pick<TestContext, "onTestFinished">

export async function openScene(open: () => Promise<RealBroker>, { onTestFinished }: Ending): Promise<Scene> {
  const broker = await open()
  onTestFinished(broker.end)
  const devices = [await broker.device(), await broker.device()] as const
  const { authority, folder, port: brokerPort } = broker
  const proxy = await openProxy({ authority, brokerPort, devices })
  onTestFinished(proxy.close)
  const place = { authority, folder, port: proxy.port }
  const [alice, bob] = await couple(place, devices)
  onTestFinished(() => alice.stop())
  onTestFinished(() => bob.stop())
  return { alice, bob, proxy }
}

/** They have paired, and each has heard the other. */
export async function couple(
  place: ConstructorParameters<typeof Resident>[1],
  devices: readonly [ConstructorParameters<typeof Resident>[2], ConstructorParameters<typeof Resident>[2]],
): Promise<readonly [Resident, Resident]> {
  const alice = await new Resident("alice", place, devices[0], PACE).start()
  const bob = await new Resident("bob", place, devices[1], PACE).start()
  await acquaint(alice, bob)
  await alice.say(bob, "hello")
  await bob.say(alice, "hello")
  await untilSettled(alice, bob)
  return [alice, bob]
}

export async function expectBothLaws(alice: Resident, bob: Resident): Promise<void> {
  expectLaw(await direction(alice, bob))
  expectLaw(await direction(bob, alice))
}
