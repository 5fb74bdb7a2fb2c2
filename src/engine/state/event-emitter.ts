import type { Event } from "./events.ts"

/** Passes events to all listeners, in the order of emission. */
export type Events = {
  readonly emit: (event: Event) => void
  /** Calls the listener for each event from now on; the returned function stops it. */
  readonly listen: (onEvent: (event: Event) => void) => () => void
  /** One more frame was refused. */
  readonly countDropped: () => void
  readonly dropped: () => number
}

export function openEvents(): Events {
  const listeners = new Set<(event: Event) => void>()
  let dropped = 0

  function emit(event: Event): void {
    for (const listener of listeners) listener(event)
  }

  return {
    emit,
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    countDropped: () => emit({ kind: "dropped", dropped: ++dropped }),
    dropped: () => dropped,
  }
}
