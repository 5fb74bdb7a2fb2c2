import { toBase64url } from "../../crypto/bytes.ts"
import type { Random } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import type { ProbeConnector, Frame, ProbeConnection, ConnectOptions } from "./probe-connection.ts"

/** A client that the doctor made up: no other client knows the device id. */
export type Probe = { readonly id: string; readonly connector: ProbeConnector }

/**
 * Who plays in the audit. Mallory may do what every member may; Alice is whom it is done to. Topics and clients are
 * theirs alone, so that nothing of other users is read, taken or left behind.
 */
export type Probes = { readonly mallory: Probe; readonly alice: Probe; readonly random: Random }

/** What an attack came to. `unclear`: the broker did not even do for Alice what the attack is judged by. */
export type Outcome = "succeeds" | "fails" | "unclear"

export type Attack = (probes: Probes) => Promise<Outcome>

/** All clients connected during one attack. */
export class AttackRunner {
  readonly probes: Probes
  readonly #connections: ProbeConnection[] = []
  readonly #kept = new Set<Probe>()

  constructor(probes: Probes) {
    this.probes = probes
  }

  /** Connects an actor as itself. Rejects with the broker's Fault if it is not let in. */
  async connect(probe: Probe, options: Partial<ConnectOptions> = {}): Promise<ProbeConnection> {
    if (options.session === "kept") this.#kept.add(probe)
    const result = await probe.connector.connect({ clientId: probe.id, session: "clean", ...options })
    if (result.kind === "down") throw result.failure.fault
    this.#connections.push(result.connection)
    return result.connection
  }

  /** Connects as `options` says; undefined where the broker refuses. */
  async tryConnect(probe: Probe, options: ConnectOptions): Promise<ProbeConnection | undefined> {
    if (options.session === "kept") this.#kept.add(probe)
    const result = await probe.connector.connect(options)
    if (result.kind === "down") return undefined
    this.#connections.push(result.connection)
    return result.connection
  }

  /** A new inbox of an actor's. */
  inbox(probe: Probe): string {
    return `mc/1/i/${probe.id}/${this.id()}`
  }

  id(): string {
    return toBase64url(this.probes.random(ID_BYTES))
  }

  /** A frame unlike all others. */
  frame(topic: string): Frame {
    return { topic, payload: this.probes.random(ID_BYTES) }
  }

  /** Whether what `from` publishes now reaches `to`, which is subscribed. */
  async delivers(from: ProbeConnection, to: ProbeConnection, topic: string): Promise<boolean> {
    const frame = this.frame(topic)
    if ((await from.publish(frame)) === "ended") return false
    return (await to.waitFor(isSame(frame))) !== undefined
  }

  /** Disconnects all, and drops sessions that were kept. */
  async cleanUp(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.disconnect()))
    for (const probe of this.#kept)
      await (await this.tryConnect(probe, { clientId: probe.id, session: "clean" }))?.disconnect()
  }
}

export function isSame(frame: Frame): (other: Frame) => boolean {
  const payload = Buffer.from(frame.payload)
  return (other) => payload.equals(other.payload)
}

/** Runs an attack and cleans up, whatever happened. */
export async function runAttack(
  probes: Probes,
  steps: (runner: AttackRunner) => Promise<Outcome>,
): Promise<Outcome> {
  const runner = new AttackRunner(probes)
  try {
    return await steps(runner)
  } catch (cause) {
    if (cause instanceof Fault) return "unclear"
    throw cause
  } finally {
    await runner.cleanUp()
  }
}
