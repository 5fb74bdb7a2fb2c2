import { deferred, type Deferred } from "../../async/deferred.ts"
import type { Ports } from "../state/ports.ts"

/** How long a command waits for the outcome of a try. A broker that is there answers much sooner. */
const TRY_WITHIN_MS = 5_000
/** What was found out so recently is not tried again: a client that asks in a loop causes a try every two seconds. */
const FRESH_MS = 2_000

/** The try to connect that a command asks for, and how old the last outcome is [D-171]. */
export class OnDemandTry {
  readonly #ports: Pick<Ports, "now" | "after">
  readonly #onLate: () => void
  #underWay: Deferred<void> | undefined
  #cancelLimit: () => void = () => undefined
  #endedAt: number | undefined

  /** `onLate` is called when a try has no outcome in time; it reports that. */
  constructor(ports: Pick<Ports, "now" | "after">, onLate: () => void) {
    this.#ports = ports
    this.#onLate = onLate
  }

  /** Whether what was reported last is out of date, because a try is under way that a command asked for. */
  isUnderWay(): boolean {
    return this.#underWay !== undefined
  }

  isFresh(): boolean {
    return this.#endedAt !== undefined && Math.abs(this.#ports.now() - this.#endedAt) < FRESH_MS
  }

  begin(): void {
    if (this.#underWay !== undefined) return
    this.#underWay = deferred()
    this.#cancelLimit = this.#ports.after(TRY_WITHIN_MS, this.#onLate)
  }

  /** There is an outcome, of this try or of any other. */
  end(): void {
    this.#endedAt = this.#ports.now()
    this.#cancelLimit()
    this.#underWay?.resolve()
    this.#underWay = undefined
  }

  /** Resolves when no try is under way. */
  async ended(): Promise<void> {
    await this.#underWay?.promise
  }
}
