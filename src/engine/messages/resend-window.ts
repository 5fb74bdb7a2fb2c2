/** Fits a queue of any broker. */
const SMALLEST = 32
/** Half of what a receiver holds back behind one that was lost [D-21]. */
const LARGEST = 512
/** One that so many later ones have overtaken was lost: a broker keeps their order. */
const OVERTAKEN_BY = 32

/** Frames that rested while their device was away, by their number in the outbox. */
export type ResendWindow = {
  /** In order; those before `next` are under way, or have their receipt. */
  readonly resting: readonly number[]
  readonly next: number
  /** Sent again, and without a receipt since: each as the how manieth. */
  readonly underWay: ReadonlyMap<number, number>
  readonly sent: number
  /** The last of those that have their receipt. */
  readonly reached: number
  /** So many may be under way. */
  readonly size: number
  /** With more, something was lost. */
  readonly largest: number
}

/** Whether the frame still waits for its receipt. */
type IsOut = (seq: number) => boolean

type WindowStep = { readonly window: ResendWindow; readonly send: readonly number[] }

export function openWindow(resting: readonly number[]): ResendWindow {
  return { resting, next: 0, underWay: new Map(), sent: 0, reached: 0, size: SMALLEST, largest: LARGEST }
}

/** Each receipt makes room for two, up to the size at which something was lost. */
export function advance(window: ResendWindow, isOut: IsOut): WindowStep {
  const { resting, next, sent, largest } = window
  const entries = [...window.underWay]
  const underWay = new Map(entries.filter(([seq]) => isOut(seq)))
  const reached = entries.reduce(
    (most, [seq, at]) => (isOut(seq) ? most : Math.max(most, at)),
    window.reached,
  )
  const size = Math.min(largest, window.size + entries.length - underWay.size)
  const moved: ResendWindow = { resting, next, underWay, sent, reached, size, largest }
  const lost = [...underWay].filter(([, at]) => at + OVERTAKEN_BY <= reached).map(([seq]) => seq)
  if (lost.length > 0) return fill(without(moved, lost), isOut)
  // By halves: a commit for each frame would cost more than it brings.
  return underWay.size > size / 2 ? { window: moved, send: [] } : fill(moved, isOut)
}

/** No receipt has come for long: all that is under way was lost. */
export function afterSilence(window: ResendWindow, isOut: IsOut): WindowStep {
  return fill(without(window, [...window.underWay.keys()]), isOut)
}

/** They go again, and half as much at once from now on. */
function without(window: ResendWindow, lost: readonly number[]): ResendWindow {
  const { sent, reached } = window
  const resting = [...lost, ...window.resting.slice(window.next)]
  const underWay = new Map(window.underWay)
  for (const seq of lost) underWay.delete(seq)
  const size = lost.length === 0 ? window.size : Math.max(SMALLEST, window.size >> 1)
  return { resting, next: 0, underWay, sent, reached, size, largest: lost.length === 0 ? LARGEST : size }
}

function fill({ resting, next, sent, size, ...rest }: ResendWindow, isOut: IsOut): WindowStep {
  const underWay = new Map(rest.underWay)
  const send: number[] = []
  let at = next
  for (; at < resting.length && underWay.size < size; at++) {
    const seq = resting[at]
    if (seq === undefined || !isOut(seq)) continue
    send.push(seq)
    underWay.set(seq, sent + send.length)
  }
  const { reached, largest } = rest
  return {
    window: { resting, next: at, underWay, sent: sent + send.length, reached, size, largest },
    send,
  }
}
