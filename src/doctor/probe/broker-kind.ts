import type { Probes } from "./attack-runner.ts"

/** What runs at the other end, as far as it shows. */
export type BrokerKind = "embedded" | "mosquitto" | "other"

/** A retained message comes at once with the subscription. */
const RETAINED_MS = 500

/** What runs there: our own broker agrees on MQTT within TLS, Mosquitto says its name where it says anything. */
export async function detectBrokerKind(
  { mallory }: Probes,
  protocol: string | undefined,
): Promise<BrokerKind> {
  if (protocol === "mqtt") return "embedded"
  const result = await mallory.connector.connect({ clientId: mallory.id, session: "clean" })
  if (result.kind === "down") return "other"
  const { connection } = result
  await connection.subscribe("$SYS/broker/version")
  const version = await connection.waitFor(({ topic }) => topic === "$SYS/broker/version", RETAINED_MS)
  await connection.disconnect()
  return Buffer.from(version?.payload ?? "")
    .toString("latin1")
    .startsWith("mosquitto")
    ? "mosquitto"
    : "other"
}
