import { toBase64url } from "../crypto/bytes.ts"
import type { Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { ID_BYTES } from "../wire/topics.ts"
import type { Dialler, Frame, Line, Wish } from "./line.ts"

/** Somebody at the broker whom the doctor made up: nobody else knows the device id. */
export type Actor = { readonly id: string; readonly dialler: Dialler }

/**
 * Who plays in the audit. Mallory may do what every member may; Alice is whom it is done to. Topics and clients are
 * theirs alone, so that nothing of anybody else is read, taken or left behind.
 */
export type Scene = { readonly mallory: Actor; readonly alice: Actor; readonly random: Random }

/** What an attack came to. `unclear`: the broker did not even do for Alice what the attack is to be told by. */
export type Outcome = "succeeds" | "fails" | "unclear"

export type Attack = (scene: Scene) => Promise<Outcome>

/** Everybody who is connected during one attack. */
export class Stage {
  readonly scene: Scene
  readonly #lines: Line[] = []
  readonly #kept = new Set<Actor>()

  constructor(scene: Scene) {
    this.scene = scene
  }

  /** Connects an actor as itself. Rejects with the broker's Fault if it is not let in. */
  async enter(actor: Actor, wish: Partial<Wish> = {}): Promise<Line> {
    if (wish.session === "kept") this.#kept.add(actor)
    const dialled = await actor.dialler.dial({ clientId: actor.id, session: "clean", ...wish })
    if (dialled.kind === "down") throw dialled.failure.fault
    this.#lines.push(dialled.line)
    return dialled.line
  }

  /** Connects as whoever `wish` says; undefined where the broker refuses. */
  async tries(actor: Actor, wish: Wish): Promise<Line | undefined> {
    if (wish.session === "kept") this.#kept.add(actor)
    const dialled = await actor.dialler.dial(wish)
    if (dialled.kind === "down") return undefined
    this.#lines.push(dialled.line)
    return dialled.line
  }

  /** A new inbox of an actor's. */
  inbox(actor: Actor): string {
    return `mc/1/i/${actor.id}/${this.id()}`
  }

  id(): string {
    return toBase64url(this.scene.random(ID_BYTES))
  }

  /** A frame that can be told from all others. */
  frame(topic: string): Frame {
    return { topic, payload: this.scene.random(ID_BYTES) }
  }

  /** Whether what `from` publishes now reaches `to`, which is subscribed. */
  async carries(from: Line, to: Line, topic: string): Promise<boolean> {
    const frame = this.frame(topic)
    if ((await from.publish(frame)) === "ended") return false
    return (await to.hears(isSame(frame))) !== undefined
  }

  /** Everybody leaves, and sessions that were kept are dropped. */
  async clear(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.leave()))
    for (const actor of this.#kept)
      await (await this.tries(actor, { clientId: actor.id, session: "clean" }))?.leave()
  }
}

export function isSame(frame: Frame): (other: Frame) => boolean {
  const payload = Buffer.from(frame.payload)
  return (other) => payload.equals(other.payload)
}

/** Runs an attack and clears the stage, whatever happened. */
export async function staged(scene: Scene, play: (stage: Stage) => Promise<Outcome>): Promise<Outcome> {
  const stage = new Stage(scene)
  try {
    return await play(stage)
  } catch (cause) {
    if (cause instanceof Fault) return "unclear"
    throw cause
  } finally {
    await stage.clear()
  }
}
