import { X509Certificate } from "node:crypto"

import { Fault } from "../errors.ts"
import type { BrokerHome, DeviceCredential, Line, Ports } from "./ports.ts"

/** A certificate lives for months; a process that stays looks once a day. */
const LOOK_AGAIN_MS = 24 * 3600 * 1000
/** A registrar answers within some 20 ms; a command that is done does not wait much longer for one. */
const PATIENCE_MS = 2_000

/** Unix ms. */
type Term = { readonly renewFrom: number; readonly end: number }

/** Keeps the certificate of the profile's own device valid. */
export class Renewal {
  readonly #ports: Ports
  #underWay: Promise<void> | undefined
  #cancelLook: () => void = () => undefined

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** The profile's own link is up: renews what is due over it, now and once a day until `stop`. */
  watch(line: Line): void {
    const { home, after } = this.#ports
    const credential = home.credential()
    const registrar = home.broker()?.registrar
    if (credential?.kind !== "device" || registrar === undefined) return
    this.#cancelLook()
    this.#cancelLook = after(LOOK_AGAIN_MS, () => this.watch(line))
    const term = termOf(credential)
    if (term === undefined || this.#ports.now() < term.renewFrom) return
    this.#underWay ??= this.#renew({ publisher: line, registrar, credential, guest: false })
  }

  /** Whether only a guest's link can still renew this one, and the broker has a registrar to ask. */
  isExpired({ registrar }: BrokerHome, credential: { readonly certificate: string }): boolean {
    const term = registrar === undefined ? undefined : termOf(credential)
    return term !== undefined && this.#ports.now() >= term.end
  }

  /** Looks no more, and leaves an answer that is on its way a moment to arrive. */
  async stop(): Promise<void> {
    this.#cancelLook()
    if (this.#underWay === undefined) return
    let cancel: () => void = () => undefined
    const patience = new Promise<void>((resolve) => (cancel = this.#ports.after(PATIENCE_MS, resolve)))
    await Promise.race([this.#underWay, patience])
    cancel()
  }

  async #renew(request: Parameters<Ports["renew"]>[0]): Promise<void> {
    try {
      await this.#ports.home.saveCredential(await renewed(this.#ports, request))
    } catch (fault) {
      // the old one is good for weeks, and the next look asks again
      if (!(fault instanceof Fault)) throw fault
    } finally {
      this.#underWay = undefined
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
function termOf({ certificate }: { readonly certificate: string }): Term | undefined {
  try {
    const { validFrom, validTo } = new X509Certificate(certificate)
    const [begin, end] = [Date.parse(validFrom), Date.parse(validTo)]
    return { renewFrom: begin + ((end - begin) * 2) / 3, end }
  } catch {
    return undefined
  }
}
