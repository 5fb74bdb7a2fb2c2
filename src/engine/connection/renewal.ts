import { X509Certificate } from "node:crypto"

import { Fault } from "../../errors.ts"
import type { BrokerConfig, DeviceCredential, Connection, Ports } from "../state/ports.ts"

/** A certificate lives for months; a process that stays looks once a day. */
const RECHECK_MS = 24 * 3600 * 1000
/** A registrar answers within some 20 ms; a command that is done does not wait much longer for one. */
const STOP_TIMEOUT_MS = 2_000

/** Unix ms. */
type Validity = { readonly renewFrom: number; readonly end: number }

/** Keeps the certificate of the profile's own device valid. */
export class Renewal {
  readonly #ports: Ports
  #pending: Promise<void> | undefined
  #cancelRecheck: () => void = () => undefined

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** The profile's own link is up: renews what is due over it, now and once a day until `stop`. */
  watch(connection: Connection): void {
    const { config, after } = this.#ports
    const credential = config.credential()
    const registrar = config.broker()?.registrar
    if (credential?.kind !== "device" || registrar === undefined) return
    this.#cancelRecheck()
    this.#cancelRecheck = after(RECHECK_MS, () => this.watch(connection))
    const validity = validityOf(credential)
    if (validity === undefined || this.#ports.now() < validity.renewFrom) return
    this.#pending ??= this.#renew({ publisher: connection, registrar, credential, guest: false })
  }

  /** Whether only a guest's link can still renew this one, and the broker has a registrar to ask. */
  isExpired({ registrar }: BrokerConfig, credential: { readonly certificate: string }): boolean {
    const validity = registrar === undefined ? undefined : validityOf(credential)
    return validity !== undefined && this.#ports.now() >= validity.end
  }

  /** Looks no more, and leaves an answer that is on its way a moment to arrive. */
  async stop(): Promise<void> {
    this.#cancelRecheck()
    if (this.#pending === undefined) return
    let cancel: () => void = () => undefined
    const timeout = new Promise<void>((resolve) => (cancel = this.#ports.after(STOP_TIMEOUT_MS, resolve)))
    await Promise.race([this.#pending, timeout])
    cancel()
  }

  async #renew(request: Parameters<Ports["renew"]>[0]): Promise<void> {
    try {
      await this.#ports.config.saveCredential(await renewed(this.#ports, request))
    } catch (fault) {
      // the old one is good for weeks, and the next look asks again
      if (!(fault instanceof Fault)) throw fault
    } finally {
      this.#pending = undefined
    }
  }
}

/** The registrar's new certificate, with what else was known of the device. Faults of the registrar. */
export async function renewed(
  { renew }: Ports,
  request: Parameters<Ports["renew"]>[0],
): Promise<DeviceCredential> {
  return { ...request.credential, ...(await renew(request)) }
}

/** Due two thirds through the validity; undefined for what is no certificate: the broker will say so. */
function validityOf({ certificate }: { readonly certificate: string }): Validity | undefined {
  try {
    const { validFrom, validTo } = new X509Certificate(certificate)
    const [begin, end] = [Date.parse(validFrom), Date.parse(validTo)]
    return { renewFrom: begin + ((end - begin) * 2) / 3, end }
  } catch {
    return undefined
  }
}
