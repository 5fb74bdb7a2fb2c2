import { Fault } from "../errors.ts"
import type { Journal } from "./journal.ts"
import type { Ports } from "./ports.ts"

/** The clock is looked at anew at least so often: it may have been set. */
const LOOK_AGAIN_MS = 3_600_000
/** The disk is full: there is no hurry to find it full again. */
const REST_MS = 10_000

/** Deletes messages whose time is over. */
export type Expiry = {
  /** After anything that may have started a message's time. */
  readonly rearm: () => void
}

export function openExpiry(ports: Ports, journal: Journal): Expiry {
  let cancel: () => void = () => undefined

  async function look(): Promise<void> {
    const next = await ports.store.nextExpiry()
    if (next === undefined) return
    const now = ports.now()
    if (next > now) {
      arm(Math.min(next - now, LOOK_AGAIN_MS))
      return
    }
    await journal.run(() => ({ commit: [{ kind: "expire", at: now }], tell: [], result: null }))
    await look()
  }

  async function lookOrRest(): Promise<void> {
    try {
      await look()
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      arm(REST_MS)
    }
  }

  function arm(ms: number): void {
    cancel()
    cancel = ports.after(ms, () => void lookOrRest())
  }

  void lookOrRest()
  return { rearm: () => void lookOrRest() }
}
