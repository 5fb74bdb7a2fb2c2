import type { Random } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { pairingTopic } from "../../wire/topics.ts"
import type { Line, Ports } from "../ports.ts"

/** What every machine of the pairing room hears, besides events of its own. */
type Heard = { readonly kind: "message"; readonly bytes: Uint8Array } | { readonly kind: "tick" }

export type Machine<State, Event, Told> = {
  readonly step: (
    state: State,
    event: Event | Heard,
    world: { readonly now: number; readonly random: Random },
  ) => { readonly next: State; readonly send: readonly Uint8Array[]; readonly told?: Told }
  readonly wakesAt: (state: State) => number | undefined
}

/** A machine at work on one nameplate. */
export type Talk<State, Event> = {
  /** Resolves when what the event made it say is on the broker, or lost and so left to the next repetition. */
  readonly feed: (event: Event) => Promise<void>
  readonly state: () => State
  /** Stops listening and ticking. */
  readonly leave: () => void
}

/** The nameplates in use on each line: nobody may play both sides of a code [P-27]. */
const inUse = new WeakMap<Line, Set<number>>()

export type Booth = { readonly ports: Ports; readonly line: Line; readonly nameplate: number }

/**
 * Starts to listen on a nameplate and resolves when the broker has the subscription; `onTold` is called at once.
 * Faults `refused` where this line is on that nameplate already.
 */
export async function openTalk<State, Event, Told>(
  { ports, line, nameplate }: Booth,
  machine: Machine<State, Event, Told>,
  begin: State,
  onTold: (told: Told) => void,
): Promise<Talk<State, Event>> {
  const topic = pairingTopic(nameplate)
  const release = occupy(line, nameplate)
  let state = begin
  let cancelTick = (): void => undefined
  let left = false

  async function listen(): Promise<() => void> {
    try {
      return await line.listen(topic, (bytes) => void feed({ kind: "message", bytes }))
    } catch (fault) {
      release()
      throw fault
    }
  }

  function feed(event: Event | Heard): Promise<void> {
    const { next, send, told } = machine.step(state, event, { now: ports.now(), random: ports.random })
    state = next
    const said = Promise.all(send.map((message) => say(line, topic, message)))
    if (told !== undefined) onTold(told)
    rearm()
    return said.then(() => undefined)
  }

  function rearm(): void {
    cancelTick()
    const at = left ? undefined : machine.wakesAt(state)
    if (at !== undefined)
      cancelTick = ports.after(Math.max(0, at - ports.now()), () => void feed({ kind: "tick" }))
  }

  const deafen = await listen()
  rearm()
  return {
    feed,
    state: () => state,
    leave: () => {
      if (left) return
      left = true
      cancelTick()
      deafen()
      release()
    },
  }
}

function occupy(line: Line, nameplate: number): () => void {
  const occupied = inUse.get(line) ?? new Set()
  if (occupied.has(nameplate)) {
    throw new Fault("refused", "this code is in use on this laptop", "type it on the other laptop")
  }
  inUse.set(line, occupied.add(nameplate))
  return () => occupied.delete(nameplate)
}

/** What a lost link swallows is said again two seconds later; that the broker refuses it, the timeouts will tell. */
async function say(line: Line, topic: string, message: Uint8Array): Promise<void> {
  try {
    await line.publish(topic, message)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
  }
}
