/** A page of the event log; `number` is where the next one begins. */
export type EventPage = { readonly events: readonly unknown[]; readonly number: number }

export type EventSource = {
  readonly read: (since: number) => Promise<EventPage>
  /** Events from now on; the returned function ends it. */
  readonly listen: (onEvent: (event: unknown) => void) => () => void
}

export type Replay = { readonly stop: () => void; readonly caughtUp: Promise<void> }

/**
 * Emits the events since `since`, then live ones, each event once. While the log is read, a live event that the log has
 * comes from the log. If the log fails, `caughtUp` rejects with its fault and nothing more is emitted.
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
      // There is no await between the last read and this line, so no event was missed.
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
