import { registrationAnswerTopic } from "../../wire/topics.ts"
import { isSame, runAttack } from "./attack-runner.ts"
import type { Attack } from "./attack-runner.ts"

/** A broker may be done with a connection a little after it has let the next one in. */
const WILL_MS = 1_000

/** The broker's own topics name Alice, who comes while Mallory looks at them. */
export const seesNames: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const mallory = await runner.connect(probes.mallory)
    const malloryInbox = runner.inbox(probes.mallory)
    await mallory.subscribe(malloryInbox)
    await mallory.subscribe("$SYS/#")
    const watcher = mallory.hasEnded ? await runner.connect(probes.mallory) : mallory
    if (watcher !== mallory) await watcher.subscribe(malloryInbox)
    const alice = await runner.connect(probes.alice)
    await alice.subscribe(runner.inbox(probes.alice))
    if (!(await runner.delivers(alice, watcher, malloryInbox))) return "unclear"
    const named = mallory.received.some(({ topic, payload }) =>
      `${topic} ${Buffer.from(payload).toString("latin1")}`.includes(probes.alice.id),
    )
    return named ? "succeeds" : "fails"
  })

/** The broker's own topics say anything at all: its version, how many are there. */
export const seesStatistics: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const mallory = await runner.connect(probes.mallory)
    await mallory.subscribe("$SYS/#")
    const malloryInbox = runner.inbox(probes.mallory)
    const alice = await runner.connect(probes.alice)
    await mallory.subscribe(malloryInbox)
    await runner.delivers(alice, mallory, malloryInbox)
    return mallory.received.some(({ topic }) => topic.startsWith("$SYS/")) ? "succeeds" : "fails"
  })

/** A message that stays in Alice's inbox and meets each later subscription. */
export const leavesRetained: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const aliceInbox = runner.inbox(probes.alice)
    const mallory = await runner.connect(probes.mallory)
    const planted = runner.frame(aliceInbox)
    await mallory.publish(planted, true)
    const alice = await runner.connect(probes.alice)
    await alice.subscribe(aliceInbox)
    if (!(await runner.delivers(alice, alice, aliceInbox))) return "unclear"
    const isThere = alice.received.some(isSame(planted))
    if (isThere) await mallory.publish({ topic: aliceInbox, payload: new Uint8Array() }, true)
    return isThere ? "succeeds" : "fails"
  })

/** A will is published where its owner may not publish: what registrars say, here to Alice. */
export const willsAnywhere: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const [aliceInbox, forbidden] = [runner.inbox(probes.alice), registrationAnswerTopic(probes.alice.id)]
    const alice = await runner.connect(probes.alice)
    await alice.subscribe(aliceInbox)
    await alice.subscribe(forbidden)
    const will = runner.frame(forbidden)
    const willClient = await runner.tryConnect(probes.mallory, {
      clientId: probes.mallory.id,
      session: "clean",
      will,
    })
    await willClient?.drop()
    // the same client again: the broker has to be done with the old connection first
    const mallory = await runner.connect(probes.mallory)
    if (!(await runner.delivers(mallory, alice, aliceInbox))) return "unclear"
    return (await alice.waitFor(isSame(will), WILL_MS)) === undefined ? "fails" : "succeeds"
  })
