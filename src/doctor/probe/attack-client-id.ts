import { isSame, runAttack } from "./attack-runner.ts"
import type { Attack, Probes, AttackRunner } from "./attack-runner.ts"

/** Mallory connects under Alice's client id while she is there. */
export const takesOverClientId: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const alice = await runner.connect(probes.alice, { session: "kept" })
    const aliceInbox = runner.inbox(probes.alice)
    await alice.subscribe(aliceInbox)
    if (!(await runner.delivers(alice, alice, aliceInbox))) return "unclear"
    await runner.tryConnect(probes.mallory, { clientId: probes.alice.id, session: "kept" })
    return (await runner.delivers(alice, alice, aliceInbox)) ? "fails" : "succeeds"
  })

/** Mallory connects under Alice's client id while she is away, and is handed what waits for her. */
export const readsQueue: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const secret = await queueSecret(runner, probes)
    const impostor = await runner.tryConnect(probes.mallory, { clientId: probes.alice.id, session: "kept" })
    if (impostor === undefined) return "fails"
    const malloryInbox = runner.inbox(probes.mallory)
    await impostor.subscribe(malloryInbox)
    // what waited comes before what is published now
    await runner.delivers(impostor, impostor, malloryInbox)
    return impostor.received.some(isSame(secret)) ? "succeeds" : "fails"
  })

/** Mallory connects under Alice's client id with a clean session, so that what waits for her is thrown away. */
export const dropsQueue: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const secret = await queueSecret(runner, probes)
    const impostor = await runner.tryConnect(probes.mallory, { clientId: probes.alice.id, session: "clean" })
    await impostor?.disconnect()
    const alice = await runner.connect(probes.alice, { session: "kept" })
    await alice.subscribe(secret.topic)
    // what waited comes before what is published now
    if (!(await runner.delivers(alice, alice, secret.topic))) return "unclear"
    return alice.received.some(isSame(secret)) ? "fails" : "succeeds"
  })

/** A message that waits for Alice, who has left. */
async function queueSecret(runner: AttackRunner, probes: Probes) {
  const alice = await runner.connect(probes.alice, { session: "kept" })
  const aliceInbox = runner.inbox(probes.alice)
  await alice.subscribe(aliceInbox)
  await alice.disconnect()
  const mallory = await runner.connect(probes.mallory)
  const secret = runner.frame(aliceInbox)
  await mallory.publish(secret)
  await mallory.disconnect()
  return secret
}
