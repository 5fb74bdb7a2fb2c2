import { registrationAnswerTopic } from "../../wire/topics.ts"
import { isSame, runAttack } from "./attack-runner.ts"
import type { Attack, AttackRunner } from "./attack-runner.ts"

/** Ways to ask for what goes to another's inbox. None of them matches a topic that the doctor did not make up. */
type FilterFor = (runner: AttackRunner, mailbox: string) => string

const exactTopic: FilterFor = ({ probes }, mailbox) => `mc/1/i/${probes.alice.id}/${mailbox}`

export const READ_FILTERS = {
  exact: exactTopic,
  mailboxes: ({ probes }) => `mc/1/i/${probes.alice.id}/+`,
  tree: ({ probes }) => `mc/1/i/${probes.alice.id}/#`,
  devices: (_runner, mailbox) => `mc/1/i/+/${mailbox}`,
  everywhere: (_runner, mailbox) => `+/+/+/+/${mailbox}`,
  "shared topic": (runner, mailbox) => `$share/${runner.id()}/${exactTopic(runner, mailbox)}`,
  "shared wildcard": (runner) => `$share/${runner.id()}/mc/1/i/${runner.probes.alice.id}/+`,
} as const satisfies Record<string, FilterFor>

/**
 * Mallory subscribes to what is Alice's. Judged by what is delivered, for Mosquitto grants every subscription; and only
 * where Alice receives it, and Mallory receives what was sent to Mallory after it.
 */
export function readsInbox(filter: FilterFor): Attack {
  return (probes) =>
    runAttack(probes, async (runner) => {
      const mailbox = runner.id()
      const [alice, mallory] = [await runner.connect(probes.alice), await runner.connect(probes.mallory)]
      const [aliceInbox, malloryInbox] = [exactTopic(runner, mailbox), runner.inbox(probes.mallory)]
      await alice.subscribe(aliceInbox)
      await mallory.subscribe(malloryInbox)
      if (!(await runner.delivers(alice, mallory, malloryInbox))) return "unclear"
      await mallory.subscribe(filter(runner, mailbox))
      const secret = runner.frame(aliceInbox)
      await alice.publish(secret)
      if ((await alice.waitFor(isSame(secret))) === undefined) return "unclear"
      if (!(await runner.delivers(alice, mallory, malloryInbox)) && !mallory.hasEnded) return "unclear"
      return mallory.received.some(isSame(secret)) ? "succeeds" : "fails"
    })
}

/** Refused in the same packet as one that was granted, and yet remembered for when Mallory comes again. */
export const remembersRefused: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const kept = { session: "kept" } as const
    const [aliceInbox, malloryInbox] = [runner.inbox(probes.alice), runner.inbox(probes.mallory)]
    const alice = await runner.connect(probes.alice)
    await alice.subscribe(aliceInbox)
    const before = await runner.connect(probes.mallory, kept)
    await before.subscribe(malloryInbox)
    await before.subscribe(malloryInbox, aliceInbox)
    const [live, waiting, marker] = [
      runner.frame(aliceInbox),
      runner.frame(aliceInbox),
      runner.frame(malloryInbox),
    ]
    await alice.publish(live)
    await before.disconnect()
    await alice.publish(waiting)
    await alice.publish(marker)
    if ((await alice.waitFor(isSame(waiting))) === undefined) return "unclear"
    const after = await runner.connect(probes.mallory, kept)
    if ((await after.waitFor(isSame(marker))) === undefined) return "unclear"
    const received = [...before.received, ...after.received]
    return received.some((frame) => isSame(live)(frame) || isSame(waiting)(frame)) ? "succeeds" : "fails"
  })

/** Mallory answers a request for admission in the registrar's place. */
export const answersForRegistrar: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const [aliceInbox, answers] = [runner.inbox(probes.alice), registrationAnswerTopic(probes.alice.id)]
    const [alice, mallory] = [await runner.connect(probes.alice), await runner.connect(probes.mallory)]
    await alice.subscribe(aliceInbox)
    await alice.subscribe(answers)
    const forged = runner.frame(answers)
    await mallory.publish(forged)
    const sender = mallory.hasEnded ? await runner.connect(probes.mallory) : mallory
    if (!(await runner.delivers(sender, alice, aliceInbox))) return "unclear"
    return alice.received.some(isSame(forged)) ? "succeeds" : "fails"
  })
