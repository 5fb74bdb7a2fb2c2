import { expect, test } from "vitest"

import { toHex } from "../../src/crypto/bytes.ts"
import { encodeIdentity } from "../../src/wire/identity.ts"
import { Town, type Person } from "../chat/people.ts"
import { copyDisk, putBack } from "./disks.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

type Couple = { readonly town: Town; readonly first: Person; readonly second: Person }

/** They know each other. The handshake of the first counts when both begin at once: hers is the smaller identity. */
async function couple(): Promise<Couple> {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  await town.clock.pass(50)
  const [first, second] = identity(alice) < identity(bob) ? [alice, bob] : [bob, alice]
  await exchange({ town, first, second }, "hello")
  return { town, first, second }
}

function identity(person: Person): string {
  return toHex(encodeIdentity(person.identity.public))
}

async function exchange({ town, first, second }: Couple, text: string): Promise<void> {
  for (const [from, to] of [
    [first, second],
    [second, first],
  ] as const) {
    await from.send(to.name, text)
    await town.clock.pass(50)
  }
}

async function expectTalk(it: Couple): Promise<void> {
  const { town, first, second } = it
  await exchange(it, "here we are again")
  await town.clock.pass(HOUR_MS)
  for (const [from, to] of [
    [first, second],
    [second, first],
  ] as const) {
    expect((await to.texts(from.name)).at(-1)).toBe("here we are again")
    expect((await from.states(to.name)).at(-1)).toBe("delivered")
  }
}

test.each(["first", "second"] as const)(
  "who makes the connection anew twice before the other answers is answered (the %s)",
  async (who) => {
    const it = await couple()
    const [self, peer] = who === "first" ? [it.first, it.second] : [it.second, it.first]
    it.town.office.meddle = () => []
    await self.client.call("reset", { contact: peer.name })
    await it.town.clock.pass(1_000)
    await self.client.call("reset", { contact: peer.name })
    it.town.office.meddle = (_topic, payload) => [payload]
    await it.town.clock.pass(10_000)
    await expectTalk(it)
    expect(await peer.lines(self.name)).toHaveLength(1)
  },
)
