import { X509Certificate } from "node:crypto"

import { Fault } from "../../errors.ts"
import type { DeviceCredential, Ports, ProfileConfig } from "../state/ports.ts"
import type { Validity } from "./broker-state.ts"

/** A registrar answers within some 20 ms; a finished command does not wait much longer for one. */
const FINISH_TIMEOUT_MS = 2_000

type RenewRequest = Parameters<Ports["renew"]>[0]
type RenewalPorts = Pick<Ports, "config" | "renew" | "after">

/** The renewal of the profile's certificate over its own connection, while its device is known. */
export class Renewal {
  readonly #ports: RenewalPorts
  #pending: Promise<void> | undefined

  constructor(ports: RenewalPorts) {
    this.#ports = ports
  }

  /** Does nothing while an earlier request is under way. */
  start(request: RenewRequest): void {
    this.#pending ??= this.#renew(request)
  }

  /** Waits a moment for an answer that is on its way. */
  async finish(): Promise<void> {
    if (this.#pending === undefined) return
    let cancel: () => void = () => undefined
    const timeout = new Promise<void>((resolve) => (cancel = this.#ports.after(FINISH_TIMEOUT_MS, resolve)))
    await Promise.race([this.#pending, timeout])
    cancel()
  }

  async #renew(request: RenewRequest): Promise<void> {
    const { config } = this.#ports
    try {
      const fresh = await renewed(this.#ports, request)
      if (isStored(config, request.credential)) await config.saveCredential(fresh)
    } catch (fault) {
      // The old one is valid for weeks; the next check renews it.
      if (!(fault instanceof Fault)) throw fault
    } finally {
      this.#pending = undefined
    }
  }
}

/** A join may have stored another credential meanwhile, which must stay. */
function isStored(config: ProfileConfig, { certificate }: DeviceCredential): boolean {
  const stored = config.credential()
  return stored?.kind === "device" && stored.certificate === certificate
}

/** The registrar's new certificate, with the other fields of the device's credential. Faults of the registrar. */
export async function renewed(
  { renew }: Pick<Ports, "renew">,
  request: RenewRequest,
): Promise<DeviceCredential> {
  return { ...request.credential, ...(await renew(request)) }
}

/** Due after two thirds of the validity; undefined if it is not a certificate: the broker will refuse it. */
export function validityOf(certificate: string): Validity | undefined {
  try {
    const { validFrom, validTo } = new X509Certificate(certificate)
    const [begin, end] = [Date.parse(validFrom), Date.parse(validTo)]
    return { begin, renewFrom: begin + ((end - begin) * 2) / 3, end }
  } catch {
    return undefined
  }
}
