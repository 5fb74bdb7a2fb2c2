import type { ConnectionStatus } from "../../engine/api.ts"
import { Fault, type FaultCode } from "../../errors.ts"
import { display, safe } from "../../wire/text.ts"
import { type ClientContext, showInbox } from "./messages.ts"

/** A connection that ends with one of these ended because a message could not be stored. */
const STORE_FAULTS: ReadonlySet<FaultCode> = new Set(["disk-full", "io", "damaged-database"])

/**
 * Prints the new messages, those included that the broker still held when this was called. Faults of the store, and
 * `queued` if the connection was up, or is up now, and not all of them have arrived.
 */
export async function showWholeInbox({ client, out }: ClientContext): Promise<void> {
  const before = await client.call("status", {})
  const { isComplete } = await client.call("catch-up", {})
  const after = isComplete ? before : await client.call("status", {})
  const { connection } = after
  if ("code" in connection && STORE_FAULTS.has(connection.code))
    throw new Fault(connection.code, connection.reason, connection.hint)
  const wasOnline = before.connection.kind === "online"
  const isOffline = !wasOnline && connection.kind !== "online"
  if (!isComplete && isOffline) out.warn(safe`there may be more: ${display(connection.reason)}`)
  await showInbox({ client, out })
  if (isComplete || isOffline) return
  throw new Fault("queued", whyNotAll(wasOnline, connection), "mqttchat inbox")
}

function whyNotAll(wasOnline: boolean, connection: ConnectionStatus): string {
  if (!wasOnline) return "more messages may wait on the broker: the connection came up only now"
  const reason = connection.kind === "online" ? "it did not bring them in time" : connection.reason
  return `more messages wait on the broker: ${reason}`
}
