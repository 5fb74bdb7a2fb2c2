import { type Device, mint, newId, newBrokerFixture, portOf } from "../broker/broker-fixture.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import type { BrokerLocation } from "./actors.ts"

/** A real broker that admits devices by their certificates. */
export type RealBroker = BrokerLocation & {
  readonly device: () => Promise<Device>
  readonly end: () => Promise<void>
}

/** A broker that is a separate process. */
export type CrashingBroker = RealBroker & {
  /** Kills it with kill -9, and starts it again on the same port and disk. */
  readonly crash: () => Promise<void>
}

async function embedded(): Promise<RealBroker> {
  const { authority, folder, device, start, end } = await newBrokerFixture()
  return { authority, folder, port: portOf(await start()), device, end }
}

async function embeddedProcess(): Promise<CrashingBroker> {
  const { authority, folder, device, spawn, end } = await newBrokerFixture()
  let running = await spawn(0)
  const { port } = running
  const crash = async (): Promise<void> => {
    await running.end("SIGKILL")
    running = await spawn(port)
  }
  return { authority, folder, port, device, end, crash }
}

async function mosquitto(): Promise<CrashingBroker> {
  const { authority, folder, port, close, restart } = await startMosquitto("shipped")
  const device = (): Promise<Device> => mint(authority, newId())
  return { authority, folder, port, device, end: close, crash: () => restart("SIGKILL") }
}

const MOSQUITTO = mosquittoIsMissing() ? [] : [["Mosquitto", mosquitto] as const]

export const REAL_BROKERS = [["the embedded broker", embedded], ...MOSQUITTO] as const
export const CRASHING_BROKERS = [["the embedded broker", embeddedProcess], ...MOSQUITTO] as const
