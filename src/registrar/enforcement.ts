import { SerialQueue } from "../async/serial-queue.ts"
import type { Authority, Revoked } from "./authority.ts"
import type { Ledger } from "./ledger.ts"
import type { RegistryState } from "./registry-state.ts"

/** How one kind of broker shuts a device out. */
export type BrokerControl = {
  /** From here on the broker takes no connection with a certificate on this list (PEM). */
  readonly publishCrl: (revocationList: string) => Promise<void>
  /** Ends the device's open connection and drops what waits for it; both may be gone already. */
  readonly disconnect: (device: string) => Promise<void>
}

type EnforcementContext = {
  readonly ledger: Ledger
  readonly authority: Authority
  readonly brokerControl: BrokerControl
  readonly now: () => number
}

/** Makes the broker do what the ledger says about who was revoked. */
export class Enforcement {
  readonly #context: EnforcementContext
  readonly #turns = new SerialQueue()

  constructor(context: EnforcementContext) {
    this.#context = context
  }

  /**
   * One at a time. What fails for one device, or for the list, keeps no other device in, and is done again by the next
   * run, also in another process.
   */
  run(): Promise<void> {
    return this.#turns.run(() => this.#enforce())
  }

  async #enforce(): Promise<void> {
    const { ledger, authority, brokerControl, now } = this.#context
    const failures: unknown[] = []
    const attempt = async (work: () => Promise<void>): Promise<boolean> => {
      try {
        await work()
        return true
      } catch (error) {
        failures.push(error)
        return false
      }
    }
    const isPublished = await attempt(async () =>
      brokerControl.publishCrl(await authority.revocationList(revokedCertificates(ledger.state), now())),
    )
    for (const { device, revokedAt, disconnected } of [...ledger.state.devices.values()]) {
      if (revokedAt === undefined || disconnected) continue
      const isDisconnected = await attempt(() => brokerControl.disconnect(device))
      if (isDisconnected && isPublished)
        await attempt(() => ledger.append({ kind: "expelled", at: now(), device }))
    }
    if (failures.length > 0) throw failures[0]
  }
}

/** All certificates that revoked devices ever had: one that has run out stays on the list, which does no harm. */
function revokedCertificates({ devices }: RegistryState): Revoked[] {
  return [...devices.values()].flatMap(({ certificates, revokedAt }) =>
    revokedAt === undefined
      ? []
      : certificates.map((text) => ({ certificate: bytesOf(text), at: revokedAt })),
  )
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"))
}
