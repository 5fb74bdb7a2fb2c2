/**
 * Ms of a clock that nobody sets: rates and waits go by it. By the machine's clock, one that is set back would stop whoever
 * had used up a rate, until it is where it was [D-110].
 */
export function monotonic(): number {
  return performance.now()
}
