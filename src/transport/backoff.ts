const FIRST_MS = 250
const MAX_MS = 60_000
const DOUBLINGS_MAX = 8

/**
 * How long to wait before the n-th retry in a row (from 1), in ms: doubling to a minute, then between half and all of
 * it, so that the clients of a restarted broker do not come back in step. `chance` is in [0, 1).
 */
export function retryDelay(retry: number, jitter: number): number {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(retry - 1, DOUBLINGS_MAX))
  return Math.round(ceiling * (0.5 + jitter / 2))
}
