import { mayRefuseVersion, refusesVersion } from "./failures.ts"
import type { MqttVersion } from "./transport.ts"

/** How one attempt to connect went; where it never opened, the error is what `failureOf` reads. */
export type Attempt = { readonly opened: boolean; readonly error?: unknown }

/**
 * Connects by the `preferred` version of MQTT, and by the other one at once where the broker does not take that.
 * Gives the attempt that counts and the version to prefer the next time: the one that worked, or the same again.
 */
export async function connectWithFallback<A extends Attempt>(
  preferred: MqttVersion,
  attempt: (version: MqttVersion) => Promise<A>,
  isEnded: () => boolean = () => false,
): Promise<{ readonly attempt: A; readonly version: MqttVersion }> {
  const first = await attempt(preferred)
  const firstCounts = { attempt: first, version: preferred }
  if (first.opened || isEnded() || !mayRefuseVersion(first.error)) return firstCounts
  const version = preferred === 5 ? 4 : 5
  const second = await attempt(version)
  if (second.opened) return { attempt: second, version }
  // A broker that closed the first without a word may take it at another time.
  return refusesVersion(second.error) ? firstCounts : { attempt: second, version: preferred }
}
