import { SerialQueue } from "../../async/serial-queue.ts"
import { Fault } from "../../errors.ts"
import { DAY_MS } from "../../time-units.ts"
import type { LedgerWatch } from "../../wire/ledger-view.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { notice } from "../state/events.ts"
import type { BrokerConfig, Ports } from "../state/ports.ts"
import { profileSetting, saveProfileSetting } from "../state/profile-settings.ts"
import type { LedgerStatus } from "../state/shapes.ts"
import { LearnedHints } from "./broker-hints.ts"
import { GuestConnections } from "./guest-connections.ts"
import {
  afterAnswer,
  decodeRecord,
  encodeRecord,
  isInTrouble,
  recordFor,
  type LedgerAnswer,
  type LedgerRecord,
} from "./ledger-record.ts"

/** A short command is over by then: only processes that stay ask by themselves. */
const FIRST_CHECK_MS = 5_000
/** A registrar answers within some 20 ms. */
const ANSWER_WAIT_MS = 10_000

type LedgerPorts = Pick<Ports, "config" | "connect" | "requestHead" | "after" | "now">

/**
 * Keeps the newest entry of the registrar's ledger that this device was told of, and asks once a day whether it is still
 * there. It asks as a guest, on a connection of its own: the device's may be in use for another request.
 */
export class LedgerWatcher {
  readonly #ports: LedgerPorts
  readonly #queue: CommitQueue
  readonly #guests: GuestConnections
  readonly #turns = new SerialQueue()
  #cancel: () => void = () => undefined

  constructor(ports: LedgerPorts, queue: CommitQueue) {
    this.#ports = ports
    this.#queue = queue
    this.#guests = new GuestConnections(ports.connect, () => undefined)
  }

  readonly watch: LedgerWatch = {
    known: (registrar) => recordFor(recordOf(this.#queue.state()), registrar)?.number ?? 0,
    onView: async (registrar, known, view) => {
      const answer = { registrar, known, view, now: this.#ports.now() }
      await this.#queue.run((state) => noteAnswer(state, answer))
    },
  }

  status(): LedgerStatus {
    return ledgerStatusOf(this.#record())
  }

  online(): void {
    const confirmedAt = this.#record()?.confirmedAt ?? 0
    this.#wait(Math.min(DAY_MS, Math.max(FIRST_CHECK_MS, confirmedAt + DAY_MS - this.#ports.now())))
  }

  offline(): void {
    this.#cancel()
  }

  /** With `accept` the ledger as it is now is the known one. Faults of the connection and of the registrar. */
  async check(accept = false): Promise<void> {
    const { config, requestHead } = this.#ports
    const broker = config.broker()
    if (broker?.registrar === undefined || config.credential()?.kind !== "device") throw noLedger()
    const { registrar } = broker
    const watch = accept ? this.#replacing() : this.watch
    await this.#turns.run(() =>
      this.#limited(
        this.#guests.request(this.#target(broker), (publisher) =>
          requestHead({ publisher, registrar }, watch),
        ),
      ),
    )
  }

  async close(): Promise<void> {
    this.#cancel()
    await this.#guests.interrupt()
  }

  /** Of the registrar of the present broker. */
  #record(): LedgerRecord | undefined {
    const registrar = this.#ports.config.broker()?.registrar
    return registrar && recordFor(recordOf(this.#queue.state()), registrar)
  }

  #target(broker: BrokerConfig) {
    return new LearnedHints(this.#ports.config).target(broker, { kind: "guest" })
  }

  #wait(ms: number): void {
    this.#cancel()
    this.#cancel = this.#ports.after(ms, () => {
      this.#wait(DAY_MS)
      // A registrar that is away is asked again the next day.
      this.check().catch((fault: unknown) => {
        if (!(fault instanceof Fault)) throw fault
      })
    })
  }

  /** A broker that cannot be reached would be waited for without end. */
  async #limited(request: Promise<void>): Promise<void> {
    const cancel = this.#ports.after(ANSWER_WAIT_MS, () => void this.#guests.interrupt())
    try {
      await request
    } finally {
      cancel()
    }
  }

  #replacing(): LedgerWatch {
    return {
      known: () => 0,
      onView: async (registrar, known, view) => {
        const record = afterAnswer(undefined, { registrar, known, view, now: this.#ports.now() })
        await this.#queue.run(() => saveProfileSetting("ledger", encodeRecord(record)))
      },
    }
  }
}

/** Passes what is known into each request, and hears each answer. */
export function withLedger(ports: Ports, watch: LedgerWatch): Ports {
  return {
    ...ports,
    enroll: (request) => ports.enroll(request, watch),
    restore: (request) => ports.restore(request, watch),
    renew: (request) => ports.renew(request, watch),
    invite: (request) => ports.invite(request, watch),
  }
}

function recordOf(state: EngineState): LedgerRecord | undefined {
  return decodeRecord(profileSetting(state, "ledger"))
}

function noteAnswer(state: EngineState, answer: LedgerAnswer): Decision<null> {
  const before = recordOf(state)
  const record = afterAnswer(before, answer)
  if (record === before) return noChange(null)
  const saved = saveProfileSetting("ledger", encodeRecord(record))
  const isNew = isInTrouble(record) && (before === undefined || !isInTrouble(before))
  return isNew ? { ...saved, effects: [{ kind: "event", event: notice(warningOf(record)) }] } : saved
}

function warningOf({ number, confirmedAt, trouble }: LedgerRecord): string {
  const then = new Date(confirmedAt).toISOString().slice(0, 10)
  if (trouble?.kind === "rolled-back") {
    const counts = `${number} entries were there on ${then}, ${trouble.number} are there now`
    return `the broker's ledger was cut off (${counts}): someone who was shut out may come in again. See: mqttchat doctor`
  }
  return `the broker has another ledger than on ${then}: perhaps two brokers run from one export. See: mqttchat doctor`
}

export function ledgerStatusOf(record: LedgerRecord | undefined): LedgerStatus {
  if (record === undefined) return { state: "unknown", entries: 0, confirmedAt: null, trouble: null }
  const { number: entries, confirmedAt, trouble } = record
  const state = trouble !== undefined && isInTrouble(record) ? trouble.kind : "whole"
  const seen = trouble && {
    kind: trouble.kind,
    since: trouble.since,
    last: trouble.last,
    entries: trouble.number,
  }
  return { state, entries, confirmedAt, trouble: seen ?? null }
}

function noLedger(): Fault {
  return new Fault(
    "config",
    "this profile is no device of a broker with a registrar",
    "mqttchat register INVITATION",
  )
}
