import { Fault } from "../../errors.ts"
import { formatAddress } from "../../wire/address.ts"
import type { Connection, PairingContext, Ports } from "../state/ports.ts"

/** The profile's connection is up or nearly so when the user pairs; a broker that takes longer is away. */
export const ONLINE_WITHIN_MS = 5_000
/** A connection that is not up by now does not lead anywhere: another address of the broker has just answered. */
const SOON_MS = 1_000
/** A registrar answers within some 20 ms; no event reports when the first connection of a new profile starts. */
const RECHECK_MS = 20

/** The profile's own connection, online. Faults `config` without a broker, `unavailable` when it does not come online. */
export async function ownConnection(
  context: PairingContext,
  limitMs = ONLINE_WITHIN_MS,
): Promise<Connection> {
  const connection = await firstConnection(context, limitMs)
  const why = `${brokerName(context)} does not answer`
  const hint = "start the broker, or if it has another address: mqttchat config set broker HOST[:PORT]"
  await within(context.ports, limitMs, connection.online(), new Fault("unavailable", why, hint))
  return connection
}

/** A new profile may still be turning its invitation into a certificate, and has no connection before. */
async function firstConnection(context: PairingContext, limitMs: number): Promise<Connection> {
  const { config, after } = context.ports
  for (let waited = 0; ; waited += RECHECK_MS) {
    try {
      return context.connection()
    } catch (fault) {
      const isComing = config.broker() !== undefined && config.credential() !== undefined
      if (!isComing || waited >= limitMs) throw fault
    }
    await new Promise<void>((resolve) => void after(RECHECK_MS, resolve))
  }
}

/** Whether our own connection is up, or about to be. */
export async function isOnline(context: PairingContext, limitMs = SOON_MS): Promise<boolean> {
  try {
    await ownConnection(context, limitMs)
    return true
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return false
  }
}

export function brokerName(context: PairingContext): string {
  const broker = context.ports.config.broker()
  return broker === undefined ? "the broker" : formatAddress(broker.address)
}

/** `promise`, or a rejection with `fault` after `ms`. */
export function within<T>(ports: Ports, ms: number, promise: Promise<T>, fault: Fault): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = ports.after(ms, () => reject(fault))
    promise.finally(cancel).then(resolve, reject)
  })
}
