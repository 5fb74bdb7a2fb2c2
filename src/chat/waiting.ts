import type { Event, Message, Results } from "./api.ts"
import type { Works } from "./works.ts"

type Reached = Results["send"]["state"]

/** Each state says all that the ones before it say. */
const PROGRESS: readonly Reached[] = ["queued", "broker", "delivered", "read"]

type Wish = {
  readonly id: string
  readonly wait: "broker" | "delivered" | "read"
  readonly timeoutMs: number
}

/**
 * How far a text of ours that was just stored has come when it is as far as was wished, when it comes no further, or when
 * the time is over. Who waits for the broker alone does not wait for a connection that has just failed.
 */
export async function reached(works: Works, { id, wait, timeoutMs }: Wish): Promise<Reached> {
  const { ports, home, tidings } = works
  let state: Reached = "queued"
  const isThere = (): boolean =>
    state === "given-up" ||
    PROGRESS.indexOf(state) >= PROGRESS.indexOf(wait) ||
    (wait === "broker" && isHopeless())
  const isHopeless = (): boolean => !["online", "connecting"].includes(home.report().kind)
  await new Promise<void>((resolve) => {
    const stopListening = tidings.listen((event: Event) => {
      if (event.event === "receipt" && event.id === id) state = reachedBy(event.state)
      if (isThere()) done()
    })
    const cancel = ports.after(timeoutMs, done)
    function done(): void {
      cancel()
      stopListening()
      resolve()
    }
    if (isThere()) done()
  })
  return state
}

function reachedBy(state: Message["state"]): Reached {
  return state === "received" || state === "cancelled" ? "given-up" : state
}
