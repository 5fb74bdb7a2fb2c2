import type { BrokerKind } from "./audit.ts"
import type { Scene } from "./scene.ts"

/** A retained message comes at once with the subscription. */
const RETAINED_MS = 500

/** What runs there: our own broker agrees on MQTT within TLS, Mosquitto says its name where it says anything. */
export async function tellBroker({ mallory }: Scene, protocol: string | undefined): Promise<BrokerKind> {
  if (protocol === "mqtt") return "embedded"
  const dialled = await mallory.dialler.dial({ clientId: mallory.id, session: "clean" })
  if (dialled.kind === "down") return "other"
  const { line } = dialled
  await line.subscribe("$SYS/broker/version")
  const version = await line.hears(({ topic }) => topic === "$SYS/broker/version", RETAINED_MS)
  await line.leave()
  return Buffer.from(version?.payload ?? "")
    .toString("latin1")
    .startsWith("mosquitto")
    ? "mosquitto"
    : "other"
}
