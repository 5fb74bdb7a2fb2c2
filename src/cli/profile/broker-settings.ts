import type { BrokerConfig } from "../../engine/state/ports.ts"
import { fromBase64url, toBase64url, toHex, type PublicKey } from "../../crypto/bytes.ts"
import type { Settings } from "../../settings.ts"

/** What the settings say about the broker, as the engine takes it. */
export function brokerOf({ broker }: Settings): BrokerConfig | undefined {
  if (broker === undefined) return undefined
  const { host, port, others, guests, trust, registrar, mqttVersion, maximumPacketSize } = broker
  const key = registrar === undefined ? undefined : fromBase64url(registrar)
  return {
    address: { host, port },
    ...(others === undefined ? {} : { others }),
    ...(guests === undefined ? {} : { guests }),
    trust: trust.kind === "pin" ? { ...trust, pin: Buffer.from(trust.pin, "hex") } : trust,
    ...(key === undefined ? {} : { registrar: key as PublicKey }),
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
  }
}

/** The reverse. */
export function settingsOf(broker: BrokerConfig): NonNullable<Settings["broker"]> {
  const { address, others, guests, trust, registrar, mqttVersion, maximumPacketSize } = broker
  return {
    ...address,
    ...(others === undefined ? {} : { others: [...others] }),
    ...(guests === undefined ? {} : { guests }),
    trust: trust.kind === "pin" ? { ...trust, pin: toHex(trust.pin) } : trust,
    ...(registrar === undefined ? {} : { registrar: toBase64url(registrar) }),
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
  }
}
