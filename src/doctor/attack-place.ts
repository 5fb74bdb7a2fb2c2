import { isSame, staged } from "./scene.ts"
import type { Attack, Scene, Stage } from "./scene.ts"

/** Mallory connects under Alice's client id while she is there. */
export const takesPlace: Attack = (scene) =>
  staged(scene, async (stage) => {
    const alice = await stage.enter(scene.alice, { session: "kept" })
    const hers = stage.inbox(scene.alice)
    await alice.subscribe(hers)
    if (!(await stage.carries(alice, alice, hers))) return "unclear"
    await stage.tries(scene.mallory, { clientId: scene.alice.id, session: "kept" })
    return (await stage.carries(alice, alice, hers)) ? "fails" : "succeeds"
  })

/** Mallory connects under Alice's client id while she is away, and is handed what waits for her. */
export const readsQueue: Attack = (scene) =>
  staged(scene, async (stage) => {
    const secret = await leaveSecret(stage, scene)
    const thief = await stage.tries(scene.mallory, { clientId: scene.alice.id, session: "kept" })
    if (thief === undefined) return "fails"
    const own = stage.inbox(scene.mallory)
    await thief.subscribe(own)
    // what waited comes before what is published now
    await stage.carries(thief, thief, own)
    return thief.heard.some(isSame(secret)) ? "succeeds" : "fails"
  })

/** Mallory connects under Alice's client id with a clean session, so that what waits for her is thrown away. */
export const dropsQueue: Attack = (scene) =>
  staged(scene, async (stage) => {
    const secret = await leaveSecret(stage, scene)
    const thief = await stage.tries(scene.mallory, { clientId: scene.alice.id, session: "clean" })
    await thief?.leave()
    const alice = await stage.enter(scene.alice, { session: "kept" })
    await alice.subscribe(secret.topic)
    // what waited comes before what is published now
    if (!(await stage.carries(alice, alice, secret.topic))) return "unclear"
    return alice.heard.some(isSame(secret)) ? "fails" : "succeeds"
  })

/** A message that waits for Alice, who has left. */
async function leaveSecret(stage: Stage, scene: Scene) {
  const alice = await stage.enter(scene.alice, { session: "kept" })
  const hers = stage.inbox(scene.alice)
  await alice.subscribe(hers)
  await alice.leave()
  const mallory = await stage.enter(scene.mallory)
  const secret = stage.frame(hers)
  await mallory.publish(secret)
  await mallory.leave()
  return secret
}
