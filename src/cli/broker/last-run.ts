import { existsSync } from "node:fs"
import { join } from "node:path"
import * as v from "valibot"
import type { Broker, BrokerStats } from "../../broker/broker.ts"
import { equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { replaceFile } from "../../fs/atomic-file.ts"
import { readIfExists } from "../../fs/read-file.ts"
import type { ProfilePaths } from "../../paths.ts"
import type { Ledger } from "../../registrar/ledger.ts"
import { HOUR_MS, MINUTE_MS } from "../../time-units.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"
import { descriptorFile } from "../profile/broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { JOURNAL_FILE } from "./ledger.ts"

const whole = v.pipe(v.number(), v.integer(), v.minValue(0))

/** What the folder held when it was written last, to compare with at the next start. */
const LastRunSchema = v.strictObject({
  /** Unix ms. */
  at: whole,
  ledger: v.strictObject({ entries: whole, link: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) }),
  /** None at an external broker. */
  queues: v.exactOptional(v.strictObject({ devices: whole, messages: whole, bytes: whole })),
  /** The broker has ended in order: its files are as they are here. */
  ended: v.boolean(),
})

type LastRun = v.InferOutput<typeof LastRunSchema>

/** A broker that is killed has noted what it had at most a minute ago. */
const LOOK_EVERY_MS = MINUTE_MS
const WRITE_EVERY_MS = HOUR_MS

function lastRunFile({ broker }: ProfilePaths): string {
  return join(broker, "last-run.json")
}

/** The note of the last run, or undefined for none that can be read: it is only compared with. */
export function readLastRun(paths: ProfilePaths): LastRun | undefined {
  const text = readIfExists(lastRunFile(paths))?.toString("utf8")
  const checked = v.safeParse(v.pipe(v.string(), v.parseJson(), LastRunSchema), text)
  return checked.success ? checked.output : undefined
}

/** Says what of the broker's folder is gone or is not what it was. Called before the broker rebuilds what it can. */
export function reportFiles({ paths, out }: Context, ledger: Ledger, before: LastRun | undefined): void {
  if (ledger.head().number === 0) return
  if (before === undefined)
    out.warn(
      safe`${display(lastRunFile(paths))} is gone: whether ledger and queues are what they were cannot be told here; devices can: mqttchat doctor`,
    )
  else reportLedger(out, ledger, before)
  if (!existsSync(descriptorFile(paths)))
    out.warn(
      safe`${display(descriptorFile(paths))} is gone, and with it where this broker listened: if devices do not find it, start it with --listen and --port as before`,
    )
}

function reportLedger(out: Context["out"], ledger: Ledger, { at, ledger: known }: LastRun): void {
  const { number, linkAtKnown } = ledger.view(known.entries)
  const link = fromHex(known.link)
  if (number >= known.entries && equal(linkAtKnown, link)) return
  const what =
    number < known.entries
      ? safe`the ledger was cut off or put back: it had ${known.entries} entries at ${time(at)}, and has ${number}`
      : safe`the ledger is another one than at ${time(at)}`
  out.warn(
    safe`${what}. Devices that were shut out since may come in again: mqttchat broker devices; members notice it, too`,
  )
}

/** Says what of the queues is lost; their senders keep a message until its receiver has it. */
export function reportQueues(
  { out }: Context,
  broker: Broker,
  ledger: Ledger,
  before: LastRun | undefined,
): void {
  const lost = lostQueues(broker.journalFound, before, ledger.head().number > 0)
  if (lost === undefined) return
  const waited =
    before?.queues === undefined
      ? safe``
      : safe` At ${time(before.at)} ${before.queues.messages} messages waited for ${before.queues.devices} devices.`
  out.warn(safe`${display(JOURNAL_FILE)} ${lost}.${waited} Their senders send again what is lost`)
}

function lostQueues(
  found: Broker["journalFound"],
  before: LastRun | undefined,
  hasRun: boolean,
): SafeText | undefined {
  if (found.kind === "missing") return hasRun ? safe`is gone: all that waited for devices is lost` : undefined
  const { bytes, lost, isDamaged } = found
  if (isDamaged || (lost > 0 && before?.ended === true))
    return safe`is damaged at byte ${bytes}: what was queued behind it, ${lost} bytes, is lost`
  if (before?.queues === undefined || !before.ended || bytes === before.queues.bytes) return undefined
  return safe`is not what it was: it had ${before.queues.bytes} bytes when the broker ended, and has ${bytes}`
}

/** Notes what the folder holds, as long as the broker runs. */
export class LastRunKeeper {
  readonly #context: Context
  readonly #ledger: Ledger
  #stats: (() => BrokerStats) | undefined
  #isRunning = false
  #written: LastRun | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(context: Context, ledger: Ledger) {
    this.#context = context
    this.#ledger = ledger
  }

  /** The files may change from here on. */
  async begin(before: LastRun | undefined): Promise<void> {
    if (before?.ended === true) await this.#save({ ...before, ended: false })
  }

  async start(broker?: Broker): Promise<void> {
    this.#isRunning = true
    this.#stats = broker?.stats
    await this.#write(false)
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS)
  }

  /** Called when the broker has closed its files. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#write(true)
  }

  async #look(): Promise<void> {
    const { at = 0, ledger } = this.#written ?? {}
    if (ledger?.entries === this.#ledger.head().number && Math.abs(Date.now() - at) < WRITE_EVERY_MS) return
    await this.#write(false)
  }

  async #write(ended: boolean): Promise<void> {
    if (!this.#isRunning) return
    const stats = this.#stats?.()
    const { number: entries, link } = this.#ledger.head()
    const written: LastRun = {
      at: Date.now(),
      ledger: { entries, link: toHex(link) },
      ...(stats && { queues: queuesOf(stats) }),
      ended,
    }
    await this.#save(written)
  }

  async #save(written: LastRun): Promise<void> {
    try {
      await replaceFile(lastRunFile(this.#context.paths), `${JSON.stringify(written)}\n`)
      this.#written = written
    } catch (cause) {
      // A full disk: the broker itself says so, and the next look tries again.
      if (!(cause instanceof Fault)) throw cause
    }
  }
}

function queuesOf({ queued, journal }: BrokerStats): NonNullable<LastRun["queues"]> {
  return { devices: queued.sessions, messages: queued.frames, bytes: journal.bytes }
}

function time(ms: number): SafeText {
  return display(new Date(ms).toISOString().slice(0, 16).replace("T", " "))
}
