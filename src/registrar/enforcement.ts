import { SerialQueue } from "../async/serial-queue.ts"
import type { Authority, Revoked } from "./authority.ts"
import type { Ledger } from "./ledger.ts"
import type { Roll } from "./roll.ts"

/** How one kind of broker shuts a device out. */
export type Bouncer = {
  /** From here on the broker takes no connection with a certificate on this list (PEM). */
  readonly publishCrl: (revocationList: string) => Promise<void>
  /** Ends the device's open connection and drops what waits for it; both may be gone already. */
  readonly expel: (device: string) => Promise<void>
}

type Means = {
  readonly ledger: Ledger
  readonly authority: Authority
  readonly bouncer: Bouncer
  readonly now: () => number
}

/** Makes the broker do what the ledger says about who was revoked. */
export class Enforcement {
  readonly #means: Means
  readonly #turns = new SerialQueue()

  constructor(means: Means) {
    this.#means = means
  }

  /**
   * One at a time. What fails for one device, or for the list, keeps no other device in, and is done again by the next
   * run, also in another process.
   */
  run(): Promise<void> {
    return this.#turns.run(() => this.#enforce())
  }

  async #enforce(): Promise<void> {
    const { ledger, authority, bouncer, now } = this.#means
    const failures: unknown[] = []
    const succeeds = async (work: () => Promise<void>): Promise<boolean> => {
      try {
        await work()
        return true
      } catch (error) {
        failures.push(error)
        return false
      }
    }
    const isListed = await succeeds(async () =>
      bouncer.publishCrl(await authority.revocationList(revokedOf(ledger.roll), now())),
    )
    for (const { device, revokedAt, expelled } of [...ledger.roll.devices.values()]) {
      if (revokedAt === undefined || expelled) continue
      const isOut = await succeeds(() => bouncer.expel(device))
      if (isOut && isListed) await succeeds(() => ledger.append({ kind: "expelled", at: now(), device }))
    }
    if (failures.length > 0) throw failures[0]
  }
}

/** All certificates that revoked devices ever had: one that has run out stays on the list, which does no harm. */
function revokedOf({ devices }: Roll): Revoked[] {
  return [...devices.values()].flatMap(({ certificates, revokedAt }) =>
    revokedAt === undefined
      ? []
      : certificates.map((text) => ({ certificate: bytesOf(text), at: revokedAt })),
  )
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"))
}
