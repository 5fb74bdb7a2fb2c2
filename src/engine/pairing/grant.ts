import { Fault } from "../../errors.ts"
import { makeBundle, type OpenBundle } from "../../session/bundle.ts"
import type { Entry } from "../../wire/access.ts"
import { ownConnection } from "./own-connection.ts"
import type { BrokerConfig, PairingContext, Invited } from "../state/ports.ts"

/** A fresh one-time bundle that can be answered for `lifeS` seconds. */
export function freshBundle({ ports, newInbox }: PairingContext, lifeS: number): OpenBundle {
  const notAfter = Math.floor(ports.wallClock() / 1000) + lifeS
  const terms = { multiUse: false, recovery: false, inbox: newInbox(), notAfter }
  return makeBundle(ports.identity, terms, ports.random)
}

/** The broker at which this profile receives. Faults `config` without one. */
export function ownBroker({ ports }: PairingContext): BrokerConfig {
  const broker = ports.config.broker()
  if (broker !== undefined) return broker
  throw new Fault("config", "this profile has no broker yet", "mqttchat init, or: mqttchat pair CODE@HOST")
}

/** Faults `config` at a broker without users' devices: without a registrar a broker knows accounts at most. */
export function requireRegistrar(context: PairingContext): void {
  const isDevice = context.ports.config.credential()?.kind === "device"
  if (isDevice && ownBroker(context).registrar !== undefined) return
  throw new Fault(
    "config",
    "this profile's broker keeps no devices of users",
    "mqttchat init, on the other laptop",
  )
}

/**
 * The access of a newcomer to our broker: a fresh invitation if it has a registrar; none is needed if
 * we need no account ourselves. Our own account is never passed on. Rejects with the faults of the registrar.
 */
export async function entryForNewcomer(context: PairingContext, to: Invited): Promise<Entry> {
  const { ports } = context
  const credential = ports.config.credential()
  const { registrar } = ownBroker(context)
  if (credential?.kind === "device" && registrar !== undefined) {
    const connection = await ownConnection(context)
    const invitation = await ports.invite({
      to,
      publisher: connection,
      registrar,
      deviceId: credential.deviceId,
    })
    return { kind: "invitation", invitation }
  }
  const open = credential?.kind === "account" && credential.username === undefined
  return open ? { kind: "account" } : { kind: "none" }
}
