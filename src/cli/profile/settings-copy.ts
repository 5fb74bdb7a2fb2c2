import { utf8 } from "../../crypto/bytes.ts"
import { parseSettings, type Settings } from "../../settings.ts"
import type { Store } from "../../store/message-store.ts"

/** The copy of the settings that the message store keeps, so that a lost file can be made again. */
export async function storedSettings(store: Store): Promise<Settings | undefined> {
  const bytes = await store.setting("settings")
  return bytes === undefined ? undefined : parseSettings(Buffer.from(bytes).toString("utf8"))
}

/** Writes nothing if the copy says the same already. */
export async function storeSettings(store: Store, settings: Settings): Promise<void> {
  const value = utf8(JSON.stringify(withoutHints(settings)))
  const known = await store.setting("settings")
  if (known !== undefined && Buffer.from(known).equals(value)) return
  await store.commit([{ kind: "setting", key: "settings", value }])
}

/** What each connection learns again is not worth a write. */
function withoutHints({ broker, ...settings }: Settings): Settings {
  if (broker === undefined) return settings
  const { trust } = broker
  const proof = trust.kind === "pin" ? ({ kind: "pin", pin: trust.pin } as const) : trust
  const kept = { ...broker, trust: proof }
  delete kept.mqttVersion
  delete kept.maximumPacketSize
  return { ...settings, broker: kept }
}
