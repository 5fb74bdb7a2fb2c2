/** A page of the event log; `number` is where the next one begins. */
export type EventPage = { readonly events: readonly unknown[]; readonly number: number }

export type EventSource = {
  readonly read: (since: number) => Promise<EventPage>
  /** Events from now on; the returned function ends it. */
  readonly listen: (onEvent: (event: unknown) => void) => () => void
}

export type Replay = { readonly stop: () => void; readonly caughtUp: Promise<void> }

/**
 * Gives what has happened since the event `since`, then what happens, each event once. While the log is read, a live
 * event that the log has is left to the log. `caughtUp` rejects with the fault of the log, and nothing more is given.
 */
export function replayEvents(
  { read, listen }: EventSource,
  since: number,
  give: (event: unknown) => void | Promise<void>,
): Replay {
  let reached = since
  let announced = since
  let isLive = false
  let isOver = false
  const unsubscribe = listen((event) => {
    const number = numberOf(event)
    if (number === undefined || (isLive && number > reached)) void give(event)
    else announced = Math.max(announced, number)
  })
  const mayGive = (): boolean => !isOver
  const stop = (): void => {
    isOver = true
    unsubscribe()
  }
  const catchUp = async (): Promise<void> => {
    while (!isLive && mayGive()) {
      const page = await read(reached)
      for (const event of page.events) if (mayGive()) await give(event)
      // Nothing came between the last look and this line: no further promise is waited for.
      isLive = page.number === reached && announced <= reached
      reached = page.number
    }
  }
  const caughtUp = catchUp().catch((fault: unknown) => {
    stop()
    throw fault
  })
  return { stop, caughtUp }
}

function numberOf(event: unknown): number | undefined {
  const { number } = event as { readonly number?: number }
  return number
}
