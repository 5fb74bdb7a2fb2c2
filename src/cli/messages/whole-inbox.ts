import type { ConnectionStatus } from "../../engine/api.ts"
import { Fault, type FaultCode } from "../../errors.ts"
import { display, safe } from "../../wire/text.ts"
import { type ClientContext, showInbox } from "./messages.ts"

/** A connection that ends with one of these ended because a message could not be stored. */
const STORE_FAULTS: ReadonlySet<FaultCode> = new Set(["disk-full", "io", "damaged-database"])

/**
 * Prints the new messages, those included that the broker still held when this was called. Faults of the store, and
 * `queued` if the connection was up and not all of them have arrived.
 */
export async function showWholeInbox({ client, out }: ClientContext): Promise<void> {
  const before = await client.call("status", {})
  const { isComplete } = await client.call("catch-up", {})
  const after = isComplete ? before : await client.call("status", {})
  const { connection } = after
  if ("code" in connection && STORE_FAULTS.has(connection.code))
    throw new Fault(connection.code, connection.reason, connection.hint)
  const wasOnline = before.connection.kind === "online"
  if (!isComplete && !wasOnline && connection.kind !== "online")
    out.warn(safe`there may be more: ${display(connection.reason)}`)
  await showInbox({ client, out })
  if (isComplete || !wasOnline) return
  throw new Fault("queued", `more messages wait on the broker: ${reasonOf(connection)}`, "mqttchat inbox")
}

function reasonOf(connection: ConnectionStatus): string {
  return connection.kind === "online" ? "it did not bring them in time" : connection.reason
}
