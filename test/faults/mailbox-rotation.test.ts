import { test } from "vitest"
import type { MailboxRotation } from "../../src/store/device-parts.ts"
import { Actor, pairActors, until, untilSettled } from "./actors.ts"
import { REAL_BROKERS } from "./brokers.ts"
import { expectInvariantsBothWays } from "./faults-fixture.ts"

async function rotationOf({ store }: Actor): Promise<MailboxRotation | undefined> {
  const [part] = (await store.load()).deviceParts
  return part?.[1].mailboxRotation
}

async function isRotated(actor: Actor): Promise<boolean> {
  const rotation = await rotationOf(actor)
  return rotation?.confirmed === true && rotation.old.length === 1
}

/** Half of the thousand texts after which a mailbox is replaced, in each direction. */
const EACH = 500

test.each(REAL_BROKERS)(
  "both mailboxes are replaced in the middle of a stream, and the next text for one who is away waits in the new one (%s) [D-160] [D-161]",
  async (_name, open) => {
    const broker = await open()
    const alice = await new Actor("alice", broker, await broker.device(), 1).start()
    const bob = await new Actor("bob", broker, await broker.device(), 1).start()
    await pairActors(alice, bob)
    for (let n = 0; n < EACH; n += 1)
      await Promise.all([alice.send(bob, `hers ${n}`), bob.send(alice, `his ${n}`)])
    await untilSettled(alice, bob)
    await alice.send(bob, "one more")
    await bob.send(alice, "one more")
    await until([alice, bob], async () => (await isRotated(alice)) && (await isRotated(bob)))
    await bob.stop()
    await alice.send(bob, "while you were away")
    await until([alice], async () => (await alice.history(bob)).every(({ state }) => state !== "queued"))
    await alice.stop()
    await bob.start()
    await until([bob], async () => (await bob.history(alice)).at(-1)?.text === "while you were away")
    await alice.start()
    await untilSettled(alice, bob)
    await expectInvariantsBothWays(alice, bob)
    await alice.stop()
    await bob.stop()
    await broker.end()
  },
)
