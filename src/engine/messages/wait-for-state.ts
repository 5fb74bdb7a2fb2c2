import type { Event, Message, Results } from "../api.ts"
import type { EngineParts } from "../wiring.ts"

type ReachedState = Results["send"]["state"]

/** Each state says all that the ones before it say. */
const PROGRESS: readonly ReachedState[] = ["queued", "broker", "delivered", "read"]

type WaitOptions = {
  readonly id: string
  readonly wait: "broker" | "delivered" | "read"
  readonly timeoutMs: number
}

/**
 * How far a text of ours that was just stored has come when it is as far as was wished, when it comes no further, or when
 * the time is over. Who waits for the broker alone does not wait for a connection that has just failed.
 */
export async function waitForState(
  parts: EngineParts,
  { id, wait, timeoutMs }: WaitOptions,
): Promise<ReachedState> {
  const { ports, broker, events } = parts
  let state: ReachedState = "queued"
  const isReached = (): boolean =>
    state === "given-up" ||
    PROGRESS.indexOf(state) >= PROGRESS.indexOf(wait) ||
    (wait === "broker" && isOffline())
  const isOffline = (): boolean => !["online", "connecting"].includes(broker.status().kind)
  await new Promise<void>((resolve) => {
    const unsubscribe = events.listen((event: Event) => {
      if (event.event === "receipt" && event.id === id) state = reachedState(event.state)
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
