import type { Event } from "../state/events.ts"
import type { Message } from "../state/shapes.ts"
import type { Results } from "../state/commands.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { Events } from "../state/event-emitter.ts"
import type { Ports } from "../state/ports.ts"

type ReachedState = Results["send"]["state"]

/** States are ordered; each implies the earlier ones. */
const PROGRESS: readonly ReachedState[] = ["queued", "broker", "delivered", "read"]

type WaitOptions = {
  readonly id: string
  readonly wait: "broker" | "delivered" | "read"
  readonly timeoutMs: number
  /** Whether the broker did not take it: then nothing more happens soon. */
  readonly isRefused: () => boolean
}

type WaitParts = { readonly ports: Ports; readonly events: Events; readonly broker: BrokerConnection }

/**
 * Waits until a text of ours that was just stored has reached `wait`, has failed, or the time is over; then returns
 * its state. A wait for the broker alone ends when the connection fails.
 */
export async function waitForState(
  parts: WaitParts,
  { id, wait, timeoutMs, isRefused }: WaitOptions,
): Promise<ReachedState> {
  const { ports, broker, events } = parts
  let state: ReachedState = "queued"
  const isReached = (): boolean =>
    state === "given-up" ||
    isRefused() ||
    PROGRESS.indexOf(state) >= PROGRESS.indexOf(wait) ||
    (wait === "broker" && isOffline())
  const isOffline = (): boolean => !["online", "connecting"].includes(broker.status().kind)
  await new Promise<void>((resolve) => {
    const unsubscribe = events.listen((event: Event) => {
      if (event.kind === "receipt" && event.id === id) state = reachedState(event.state)
      if (isReached()) done()
    })
    const cancel = ports.after(timeoutMs, done)
    function done(): void {
      cancel()
      unsubscribe()
      resolve()
    }
    if (isReached()) done()
  })
  return state
}

function reachedState(state: Message["state"]): ReachedState {
  return state === "received" || state === "cancelled" ? "given-up" : state
}
