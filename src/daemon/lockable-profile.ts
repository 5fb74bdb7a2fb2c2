import { ACCESS, COMMANDS, type ChatClient, type Command, type Event, type Results } from "../engine/api.ts"
import { Fault } from "../errors.ts"
import { SerialQueue } from "../async/serial-queue.ts"
import type { Service } from "./connection.ts"

/** An open profile; `close` ends what runs, closes the store and wipes the keys. */
export type OpenProfile = { readonly client: ChatClient; readonly close: () => Promise<void> }

/** Ms since the boot, and timers by it: a closed lid counts [D-110]. */
export type IdleClock = {
  readonly uptime: () => number
  /** Returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void
}

export type LockableProfileOptions = {
  readonly clock: IdleClock
  /** Faults as opening the profile does. */
  readonly open: (passphrase: string) => Promise<OpenProfile>
  /** Keys without a passphrase cannot be locked: there would be nothing to unlock them with. */
  readonly isLockable: boolean
  /** Locks after this long without a request. */
  readonly lockAfterMs?: number | undefined
  /** Ends after this long without a request, unless a client listens. */
  readonly endAfterMs?: number | undefined
  readonly end: () => void
  /** For the process that runs it; all others use `listen`. */
  readonly onLockChange: (event: "locked" | "unlocked") => void
}

type Status = Results["status"]

/**
 *             lock, or nothing asked for too long
 *        open ───────────────────────────────────▶ locked
 *          ◀──────────────────────────────────────
 *                 unlock with the passphrase
 */
type State =
  | { readonly kind: "open"; readonly opened: OpenProfile; readonly unsubscribe: () => void }
  /** `last` is the status at the lock. A locked profile neither sends nor receives, so it stays valid. */
  | { readonly kind: "locked"; readonly last: Status }

/** Holds the keys of a profile for its clients until it is locked, or idle for long. */
export class LockableProfile implements Service {
  readonly commands = { ...COMMANDS, ...ACCESS }
  readonly #options: LockableProfileOptions
  readonly #listeners = new Set<(event: Event) => void>()
  /** Requests to the open profile that are not answered yet. */
  readonly #pending = new Set<(why: Fault) => void>()
  /** Locking and unlocking never overlap. */
  readonly #turns = new SerialQueue()
  #state: State
  #timers: (() => void)[] = []
  #idleSince = 0

  constructor(options: LockableProfileOptions, opened: OpenProfile) {
    this.#options = options
    this.#state = this.#subscribe(opened)
    this.#startTimers()
  }

  readonly call: Service["call"] = async (method, params) => {
    await this.#turns.idle()
    if (this.#isOverdue()) await this.#turns.run(() => this.#lock())
    switch (method) {
      case "status":
        return this.#status()
      case "lock":
        return this.#turns.run(() => this.#lock())
      case "unlock":
        return this.#turns.run(() => this.#unlock((params as { passphrase: string }).passphrase))
      case "stop":
        this.#options.end()
        return null
      default:
        return this.#request(method as Command, params)
    }
  }

  readonly listen = (onEvent: (event: Event) => void): (() => void) => {
    this.#listeners.add(onEvent)
    return () => {
      this.#listeners.delete(onEvent)
      if (this.#pending.size === 0) this.#startTimers()
    }
  }

  readonly close = async (): Promise<void> => {
    await this.#turns.idle()
    this.#stopTimers()
    if (this.#state.kind === "open") await this.#state.opened.close()
  }

  async #status(): Promise<Status> {
    if (this.#state.kind === "open")
      return { ...(await this.#state.opened.client.call("status", {})), daemon: true }
    return { ...this.#state.last, daemon: true, locked: true, connection: LOCKED }
  }

  async #request(command: Command, params: object): Promise<unknown> {
    if (this.#state.kind === "locked") throw locked(LOCKED.reason)
    this.#stopTimers()
    try {
      return await this.#untilLocked(this.#state.opened.client.call(command, params))
    } finally {
      if (this.#pending.size === 0) this.#startTimers()
    }
  }

  #untilLocked(answer: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      const settled = (): boolean => this.#pending.delete(reject)
      answer.then(settled, settled)
      answer.then(resolve, reject)
    })
  }

  async #lock(): Promise<null> {
    if (this.#state.kind === "locked") return null
    if (!this.#options.isLockable)
      throw new Fault("refused", "the keys of this profile have no passphrase", "mqttchat passwd")
    const { opened, unsubscribe } = this.#state
    this.#stopTimers()
    this.#state = { kind: "locked", last: await opened.client.call("status", {}) }
    unsubscribe()
    await this.#close(opened)
    for (const reject of this.#pending) reject(locked("the keys were locked meanwhile"))
    this.#lockChanged("locked")
    return null
  }

  /** Locks even if closing fails, as on a full disk. */
  async #close({ close }: OpenProfile): Promise<void> {
    try {
      await close()
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause
      this.#emit({ kind: "notice", contact: null, contactId: null, text: cause.message })
    }
  }

  async #unlock(passphrase: string): Promise<null> {
    if (this.#state.kind === "open") return null
    this.#state = this.#subscribe(await this.#options.open(passphrase))
    this.#lockChanged("unlocked")
    this.#startTimers()
    return null
  }

  #subscribe(opened: OpenProfile): State {
    return { kind: "open", opened, unsubscribe: opened.client.listen((event) => this.#emit(event)) }
  }

  #lockChanged(kind: "locked" | "unlocked"): void {
    this.#emit({ kind })
    this.#options.onLockChange(kind)
  }

  #emit(event: Event): void {
    for (const listener of this.#listeners) listener(event)
  }

  /** No request is open: the idle time starts here. */
  #startTimers(): void {
    this.#stopTimers()
    const { lockAfterMs, endAfterMs, end, clock } = this.#options
    this.#idleSince = clock.uptime()
    if (lockAfterMs !== undefined && this.#state.kind === "open")
      this.#timers.push(clock.after(lockAfterMs, () => void this.#turns.run(() => this.#lock())))
    if (endAfterMs !== undefined)
      this.#timers.push(clock.after(endAfterMs, () => (this.#listeners.size === 0 ? end() : undefined)))
  }

  /** After a suspension the first request may come before the timer that is over. */
  #isOverdue(): boolean {
    const { lockAfterMs, clock } = this.#options
    if (lockAfterMs === undefined || this.#timers.length === 0 || this.#state.kind === "locked") return false
    return clock.uptime() - this.#idleSince >= lockAfterMs
  }

  #stopTimers(): void {
    for (const cancel of this.#timers.splice(0)) cancel()
  }
}

const LOCKED = {
  kind: "stopped",
  code: "locked",
  reason: "the keys are locked",
  hint: "mqttchat daemon unlock",
} as const

function locked(why: string): Fault {
  return new Fault("locked", why, LOCKED.hint)
}
