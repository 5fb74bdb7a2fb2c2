import { registrationAnswerTopic } from "../wire/topics.ts"
import { isSame, staged } from "./scene.ts"
import type { Attack, Stage } from "./scene.ts"

/** Ways to ask for what goes to another's inbox. None of them matches a topic that the doctor did not make up. */
type Greed = (stage: Stage, mailbox: string) => string

const exactly: Greed = ({ scene }, mailbox) => `mc/1/i/${scene.alice.id}/${mailbox}`

export const GREED = {
  exact: exactly,
  mailboxes: ({ scene }) => `mc/1/i/${scene.alice.id}/+`,
  tree: ({ scene }) => `mc/1/i/${scene.alice.id}/#`,
  devices: (_stage, mailbox) => `mc/1/i/+/${mailbox}`,
  everywhere: (_stage, mailbox) => `+/+/+/+/${mailbox}`,
  "shared topic": (stage, mailbox) => `$share/${stage.id()}/${exactly(stage, mailbox)}`,
  "shared wildcard": (stage) => `$share/${stage.id()}/mc/1/i/${stage.scene.alice.id}/+`,
} as const satisfies Record<string, Greed>

/**
 * Mallory subscribes to what is Alice's. Told by what is delivered, for Mosquitto grants every subscription; and only
 * where Alice hears it herself, and Mallory what was sent to Mallory after it.
 */
export function readsInbox(filter: Greed): Attack {
  return (scene) =>
    staged(scene, async (stage) => {
      const mailbox = stage.id()
      const [alice, mallory] = [await stage.enter(scene.alice), await stage.enter(scene.mallory)]
      const [hers, own] = [exactly(stage, mailbox), stage.inbox(scene.mallory)]
      await alice.subscribe(hers)
      await mallory.subscribe(own)
      if (!(await stage.carries(alice, mallory, own))) return "unclear"
      await mallory.subscribe(filter(stage, mailbox))
      const secret = stage.frame(hers)
      await alice.publish(secret)
      if ((await alice.hears(isSame(secret))) === undefined) return "unclear"
      if (!(await stage.carries(alice, mallory, own)) && !mallory.isOver) return "unclear"
      return mallory.heard.some(isSame(secret)) ? "succeeds" : "fails"
    })
}

/** Refused in the same packet as one that was granted, and yet remembered for when Mallory comes again. */
export const remembersRefused: Attack = (scene) =>
  staged(scene, async (stage) => {
    const kept = { session: "kept" } as const
    const [hers, own] = [stage.inbox(scene.alice), stage.inbox(scene.mallory)]
    const alice = await stage.enter(scene.alice)
    await alice.subscribe(hers)
    const before = await stage.enter(scene.mallory, kept)
    await before.subscribe(own)
    await before.subscribe(own, hers)
    const [live, waiting, marker] = [stage.frame(hers), stage.frame(hers), stage.frame(own)]
    await alice.publish(live)
    await before.leave()
    await alice.publish(waiting)
    await alice.publish(marker)
    if ((await alice.hears(isSame(waiting))) === undefined) return "unclear"
    const after = await stage.enter(scene.mallory, kept)
    if ((await after.hears(isSame(marker))) === undefined) return "unclear"
    const heard = [...before.heard, ...after.heard]
    return heard.some((frame) => isSame(live)(frame) || isSame(waiting)(frame)) ? "succeeds" : "fails"
  })

/** Mallory answers a request for admission in the registrar's place. */
export const answersForRegistrar: Attack = (scene) =>
  staged(scene, async (stage) => {
    const [hers, answers] = [stage.inbox(scene.alice), registrationAnswerTopic(scene.alice.id)]
    const [alice, mallory] = [await stage.enter(scene.alice), await stage.enter(scene.mallory)]
    await alice.subscribe(hers)
    await alice.subscribe(answers)
    const forged = stage.frame(answers)
    await mallory.publish(forged)
    const messenger = mallory.isOver ? await stage.enter(scene.mallory) : mallory
    if (!(await stage.carries(messenger, alice, hers))) return "unclear"
    return alice.heard.some(isSame(forged)) ? "succeeds" : "fails"
  })
