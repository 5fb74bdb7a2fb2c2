import { type Device, mint, newId, newWorld, portOf } from "../broker/world.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import type { Place } from "./residents.ts"

/** A real broker that lets devices in by their certificates. */
export type RealBroker = Place & {
  readonly device: () => Promise<Device>
  readonly end: () => Promise<void>
}

async function embedded(): Promise<RealBroker> {
  const { authority, folder, device, start, end } = await newWorld()
  return { authority, folder, port: portOf(await start()), device, end }
}

async function mosquitto(): Promise<RealBroker> {
  const { authority, folder, port, close } = await startMosquitto("shipped")
  return { authority, folder, port, device: () => mint(authority, newId()), end: close }
}

export const REAL_BROKERS = [
  ["the embedded broker", embedded] as const,
  ...(mosquittoIsMissing() ? [] : [["Mosquitto", mosquitto] as const]),
]
