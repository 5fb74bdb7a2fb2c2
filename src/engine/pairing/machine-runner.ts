import type { Random } from "../../crypto/bytes.ts"
import type { DebugFields } from "../../debug/debug.ts"
import { Fault } from "../../errors.ts"
import { pairingTopic } from "../../wire/topics.ts"
import type { Connection, Ports } from "../state/ports.ts"

/** The kinds that a debug line can name. */
type Kinds<Name extends "input" | "state" | "effect"> = {
  readonly kind: NonNullable<DebugFields<"pairing", "step">[Name]>
}

/** The events that every pairing machine receives, in addition to its own. */
type RunnerEvent = { readonly kind: "message"; readonly bytes: Uint8Array } | { readonly kind: "tick" }

export type Machine<
  State extends Kinds<"state">,
  Event extends Kinds<"input">,
  Effect extends Kinds<"effect">,
> = {
  readonly step: (
    state: State,
    event: Event | RunnerEvent,
    input: { readonly now: number; readonly random: Random },
  ) => { readonly next: State; readonly send: readonly Uint8Array[]; readonly effect?: Effect }
  readonly wakesAt: (state: State) => number | undefined
}

/** A machine that runs on one nameplate. */
export type MachineRunner<State, Event> = {
  /** Resolves when the messages that the event caused are on the broker, or lost: then the next repetition sends them. */
  readonly feed: (event: Event) => Promise<void>
  readonly state: () => State
  /** Stops listening and ticking. */
  readonly stop: () => void
}

/** The nameplates in use on each connection: one profile may not take both sides of a code [P-27]. */
const inUse = new WeakMap<Connection, Set<number>>()

export type NameplateChannel = {
  readonly ports: Ports
  readonly connection: Connection
  readonly nameplate: number
}

/**
 * Starts to listen on a nameplate and resolves when the broker has the subscription; `onTold` is called at once.
 * Faults `refused` if this connection is on that nameplate already.
 */
export async function runMachine<
  State extends Kinds<"state">,
  Event extends Kinds<"input">,
  Effect extends Kinds<"effect">,
>(
  { ports, connection, nameplate }: NameplateChannel,
  machine: Machine<State, Event, Effect>,
  begin: State,
  onEffect: (effect: Effect) => void,
): Promise<MachineRunner<State, Event>> {
  const topic = pairingTopic(nameplate)
  const release = reserve(connection, nameplate)
  let state = begin
  let cancelTick = (): void => undefined
  let stopped = false

  async function subscribe(): Promise<() => void> {
    try {
      return await connection.listen(topic, (bytes) => void feed({ kind: "message", bytes }))
    } catch (fault) {
      release()
      throw fault instanceof Fault && fault.code === "refused" ? noNameplate(fault) : fault
    }
  }

  function feed(event: Event | RunnerEvent): Promise<void> {
    const { next, send, effect } = machine.step(state, event, { now: ports.now(), random: ports.random })
    state = next
    ports.debug("pairing", "step", {
      input: event.kind,
      state: next.kind,
      sent: send.length,
      effect: effect?.kind,
    })
    const published = Promise.all(send.map((message) => publish(connection, topic, message)))
    if (effect !== undefined) onEffect(effect)
    rearm()
    return published.then(() => undefined)
  }

  function rearm(): void {
    cancelTick()
    const at = stopped ? undefined : machine.wakesAt(state)
    if (at !== undefined)
      cancelTick = ports.after(Math.max(0, at - ports.now()), () => void feed({ kind: "tick" }))
  }

  const unsubscribe = await subscribe()
  rearm()
  return {
    feed,
    state: () => state,
    stop: () => {
      if (stopped) return
      stopped = true
      cancelTick()
      unsubscribe()
      release()
    },
  }
}

function reserve(connection: Connection, nameplate: number): () => void {
  const occupied = inUse.get(connection) ?? new Set()
  if (occupied.has(nameplate)) {
    throw new Fault("refused", "this code is in use on this laptop", "type it on the other laptop")
  }
  inUse.set(connection, occupied.add(nameplate))
  return () => occupied.delete(nameplate)
}

function noNameplate(cause: Fault): Fault {
  const why = "the broker gives this laptop no more codes: two at a time, and so many a minute"
  return new Fault("refused", why, "try again in a minute, or: mqttchat pair --link", cause)
}

/** A lost message is repeated two seconds later; if the broker refuses it, a timeout ends the exchange. */
async function publish(connection: Connection, topic: string, message: Uint8Array): Promise<void> {
  try {
    await connection.publish(topic, message)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
  }
}
