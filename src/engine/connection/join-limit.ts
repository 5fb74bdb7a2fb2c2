import { Fault } from "../../errors.ts"
import { isPending, type StoredCredential } from "../../keystore/credential.ts"
import type { BrokerConfig } from "../state/ports.ts"

/** How long a command waits for a broker that it joins: a laptop that just woke needs a while. */
export const JOIN_WITHIN_MS = 30_000

/** What was saved is tried again, by this process or the next one. */
export function notJoinedInTime(
  { address }: BrokerConfig,
  why: Fault | undefined,
  credential: StoredCredential | undefined,
): Fault {
  const reason = why?.message ?? `the broker at ${address.host}:${address.port} has not answered`
  const isKept = credential !== undefined && isPending(credential)
  const kept = isKept ? "; the invitation is kept and tried again" : ""
  return new Fault("unavailable", `not registered yet: ${reason}${kept}`, why?.hint ?? "mqttchat status", why)
}
