/** The ceilings of the first pause and of the longest, in ms. */
export type Pauses = { readonly first: number; readonly longest: number }

/**
 * How long to wait before the n-th retry in a row (from 1), in ms: doubling up to the longest, then between half and all of
 * it, so that the clients of a restarted broker do not come back in step. `jitter` is in [0, 1).
 */
export function retryDelay(retry: number, jitter: number, { first, longest }: Pauses): number {
  const doublings = Math.min(retry - 1, Math.ceil(Math.log2(longest / first)))
  const ceiling = Math.min(longest, first * 2 ** doublings)
  return Math.round(ceiling * (0.5 + jitter / 2))
}
