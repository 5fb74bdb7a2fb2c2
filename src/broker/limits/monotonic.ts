/**
 * Ms of a clock that cannot be set: rates and waits go by it. If the machine's clock were used and set back, a client with a
 * used-up rate would wait until the clock is where it was [D-110].
 */
export function monotonic(): number {
  return performance.now()
}
