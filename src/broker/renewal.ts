import type { Broker } from "./broker.ts"
import type { ServerCertificate } from "./certificates.ts"
import { DAY_MS } from "../time-units.ts"

/** Long enough for a broker whose clock or disk was in trouble for some weeks. */
const RENEW_BEFORE_MS = 30 * DAY_MS

/**
 * True if the server certificate had less than thirty days left at `now`, or was made when the machine's clock was ahead, and
 * was replaced; connections stay.
 */
export async function renewIfDue(
  broker: Pick<Broker, "stats" | "renew">,
  make: () => Promise<ServerCertificate>,
  now: number,
): Promise<boolean> {
  const { certificateValidFrom, certificateExpiresAt } = broker.stats()
  if (now >= certificateValidFrom && certificateExpiresAt - now > RENEW_BEFORE_MS) return false
  broker.renew(await make())
  return true
}
