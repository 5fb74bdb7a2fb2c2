import { registrationAnswerTopic } from "../wire/topics.ts"
import { isSame, staged } from "./scene.ts"
import type { Attack } from "./scene.ts"

/** A broker may be done with a connection a little after it has let the next one in. */
const WILL_MS = 1_000

/** The broker's own topics name Alice, who comes while Mallory looks at them. */
export const seesNames: Attack = (scene) =>
  staged(scene, async (stage) => {
    const mallory = await stage.enter(scene.mallory)
    const own = stage.inbox(scene.mallory)
    await mallory.subscribe(own)
    await mallory.subscribe("$SYS/#")
    const watcher = mallory.isOver ? await stage.enter(scene.mallory) : mallory
    if (watcher !== mallory) await watcher.subscribe(own)
    const alice = await stage.enter(scene.alice)
    await alice.subscribe(stage.inbox(scene.alice))
    if (!(await stage.carries(alice, watcher, own))) return "unclear"
    const named = mallory.heard.some(({ topic, payload }) =>
      `${topic} ${Buffer.from(payload).toString("latin1")}`.includes(scene.alice.id),
    )
    return named ? "succeeds" : "fails"
  })

/** The broker's own topics say anything at all: its version, how many are there. */
export const seesStatistics: Attack = (scene) =>
  staged(scene, async (stage) => {
    const mallory = await stage.enter(scene.mallory)
    await mallory.subscribe("$SYS/#")
    const own = stage.inbox(scene.mallory)
    const alice = await stage.enter(scene.alice)
    await mallory.subscribe(own)
    await stage.carries(alice, mallory, own)
    return mallory.heard.some(({ topic }) => topic.startsWith("$SYS/")) ? "succeeds" : "fails"
  })

/** A message that stays in Alice's inbox and meets each later subscription. */
export const leavesRetained: Attack = (scene) =>
  staged(scene, async (stage) => {
    const hers = stage.inbox(scene.alice)
    const mallory = await stage.enter(scene.mallory)
    const planted = stage.frame(hers)
    await mallory.publish(planted, true)
    const alice = await stage.enter(scene.alice)
    await alice.subscribe(hers)
    if (!(await stage.carries(alice, alice, hers))) return "unclear"
    const isThere = alice.heard.some(isSame(planted))
    if (isThere) await mallory.publish({ topic: hers, payload: new Uint8Array() }, true)
    return isThere ? "succeeds" : "fails"
  })

/** A will is published where its owner may not publish: what registrars say, here to Alice. */
export const willsAnywhere: Attack = (scene) =>
  staged(scene, async (stage) => {
    const [hers, forbidden] = [stage.inbox(scene.alice), registrationAnswerTopic(scene.alice.id)]
    const alice = await stage.enter(scene.alice)
    await alice.subscribe(hers)
    await alice.subscribe(forbidden)
    const will = stage.frame(forbidden)
    const dying = await stage.tries(scene.mallory, { clientId: scene.mallory.id, session: "clean", will })
    await dying?.hangUp()
    // the same client again: the broker has to be done with the old connection first
    const mallory = await stage.enter(scene.mallory)
    if (!(await stage.carries(mallory, alice, hers))) return "unclear"
    return (await alice.hears(isSame(will), WILL_MS)) === undefined ? "fails" : "succeeds"
  })
