import { setTimeout } from "node:timers/promises"
import { ANSWER_WAIT_MS } from "../../daemon/silence-watch.ts"
import { takeLock } from "../../fs/lock-file.ts"
import { isStopped } from "../../fs/process-info.ts"
import type { Context } from "../terminal/context.ts"

const POLL_MS = 50

/** A process that holds `lock` and answers at a socket, as the owner of a profile and a broker do. */
export type Holder<C> = {
  /** Undefined if nothing answers. */
  readonly connect: () => Promise<C | undefined>
  readonly lock: string
  /** How long it may take to answer, or to end, once it has the lock. */
  readonly waitMs: number
  /** Throws if this process must not take the lock itself. */
  readonly beforeLock?: () => void
}

export type Reached<C> =
  | { readonly kind: "connected"; readonly client: C }
  /** There is no such process; this one has the lock now. */
  | { readonly kind: "locked" }
  | { readonly kind: "silent"; readonly pid: number }

/**
 * Waits until the holder answers or its lock is free. The connection or the lock is kept until the command ends.
 * Faults as `takeLock` and `beforeLock`.
 */
export async function connectOrLock<C extends { readonly close: () => Promise<void> }>(
  { lifetime }: Pick<Context, "lifetime">,
  { connect, lock: path, waitMs, beforeLock }: Holder<C>,
): Promise<Reached<C>> {
  const start = performance.now()
  for (;;) {
    const client = await connect()
    if (client !== undefined) {
      lifetime.defer(client.close)
      return { kind: "connected", client }
    }
    beforeLock?.()
    const lock = takeLock(path)
    if (lock.kind === "taken") {
      lifetime.defer(lock.release)
      return { kind: "locked" }
    }
    // A stopped process does not end by itself.
    const limit = isStopped(lock.pid) ? Math.min(waitMs, ANSWER_WAIT_MS) : waitMs
    if (performance.now() - start > limit) return { kind: "silent", pid: lock.pid }
    await setTimeout(POLL_MS)
  }
}
