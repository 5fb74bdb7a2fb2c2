import type { LedgerReport } from "../../doctor/checks/ledger.ts"
import { LearnedHints } from "../../engine/connection/broker-hints.ts"
import { GuestConnections } from "../../engine/connection/guest-connections.ts"
import { afterAnswer, decodeRecord, encodeRecord, recordFor } from "../../engine/connection/ledger-record.ts"
import { ledgerStatusOf } from "../../engine/connection/ledger-watcher.ts"
import { connectOwner } from "../../daemon/client.ts"
import type { Holder } from "../../doctor/checks/profile.ts"
import type { Context } from "../terminal/context.ts"
import { silentOwner } from "../terminal/silent-process.ts"
import type { ProfileConfig } from "../../engine/state/ports.ts"
import { Fault } from "../../errors.ts"
import type { Applicant } from "../../transport/enroll.ts"
import { connectMqtt } from "../../transport/mqtt.ts"
import type { LedgerWatch } from "../../wire/ledger-view.ts"
import type { Store } from "../../store/message-store.ts"

/** The address of guests may be another one than that which was tried before, and be dead. */
const ANSWER_WAIT_MS = 10_000

/** What the doctor needs to ask by itself. */
export type OwnRequest = {
  readonly config: ProfileConfig
  readonly applicant: Applicant
  readonly openStore: () => Promise<Store>
}

type LedgerRequest = {
  /** Undefined if the keys were not opened, as another process has the profile. */
  readonly own: OwnRequest | undefined
  readonly accept: boolean
}

/** The owner of the profile asks, if there is one: it alone may open the store. */
export async function askLedger(
  { paths, lifetime }: Context,
  holder: Holder,
  { own, accept }: LedgerRequest,
): Promise<LedgerReport> {
  if (holder.kind === "doctor" && own !== undefined) return askAsHolder(own, accept)
  if (holder.kind !== "owner")
    return { kind: "silent", why: "the process that holds the profile does not answer" }
  return reported(async () => {
    const owner = await connectOwner(paths.socket, { silence: silentOwner(paths) })
    if (owner === undefined) throw new Fault("unavailable", "the process that held the profile has ended")
    lifetime.defer(owner.close)
    return { kind: "asked", ...(await owner.call("ledger", { accept })) }
  })
}

/** As a guest, while the doctor holds the profile. What it hears is kept as the engine would keep it. */
async function askAsHolder(
  { config, applicant, openStore }: OwnRequest,
  accept: boolean,
): Promise<LedgerReport> {
  const broker = config.broker()
  const registrar = broker?.registrar
  if (broker === undefined || registrar === undefined || config.credential()?.kind !== "device")
    return { kind: "none" }
  return reported(async () => {
    const { requestHead } = await import("../../transport/enroll.ts")
    const store = await openStore()
    const guests = new GuestConnections(connectMqtt, () => undefined)
    const timeout = setTimeout(() => void guests.interrupt(), ANSWER_WAIT_MS)
    try {
      const { watch, record } = await watchOf(store, accept)
      const target = new LearnedHints(config).target(broker, { kind: "guest" })
      await guests.request(target, (publisher) =>
        requestHead({ ...applicant, ledger: watch }, { publisher, registrar }),
      )
      return { kind: "asked", ...ledgerStatusOf(record()) }
    } finally {
      clearTimeout(timeout)
      await store.close()
    }
  })
}

async function watchOf(store: Store, accept: boolean) {
  const stored = (await store.load()).settings.get("ledger")
  let record = accept || stored === undefined ? undefined : decodeRecord(stored)
  const watch: LedgerWatch = {
    known: (registrar) => recordFor(record, registrar)?.number ?? 0,
    onView: async (registrar, known, view) => {
      record = afterAnswer(record, { registrar, known, view, now: Date.now() })
      await store.commit([{ kind: "setting", key: "ledger", value: encodeRecord(record) }])
    },
  }
  return { watch, record: () => record }
}

/** A registrar that does not answer, or refuses, says nothing of its ledger. */
async function reported(ask: () => Promise<LedgerReport>): Promise<LedgerReport> {
  try {
    return await ask()
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return cause.code === "config" ? { kind: "none" } : { kind: "silent", why: cause.message }
  }
}
