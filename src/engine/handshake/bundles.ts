import { equal, toHex, type Psk, type RecoverySecret } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { decodeOpenBundle, encodeOpenBundle, type OpenBundle } from "../../session/bundle.ts"
import { initTag, MODE, recoveryPsk, type Mode } from "../../session/handshake.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import type { DeviceId } from "../../store/ids.ts"
import { DAY_S } from "../../time-units.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Change } from "../state/decision.ts"
import type { Expected } from "../state/ports.ts"
import { seconds, wallSeconds, type StepInput } from "../state/update.ts"

/** The bundle and secrets of a record. Faults `damaged-database` if they cannot be read. */
export function readBundleSecrets(record: OpenBundleRecord): { open: OpenBundle; psk: Psk; mode: Mode } {
  const open = decodeOpenBundle(record.open)
  const mode = Object.values(MODE).find((known) => known === record.mode)
  if (open === undefined || mode === undefined) {
    throw new Fault("damaged-database", "a stored bundle cannot be read")
  }
  return { open, mode, psk: record.psk as Psk }
}

export function bundleRecord({ open, mode, psk, requestTag }: Expected, input: StepInput): OpenBundleRecord {
  return {
    tag: initTag(psk, open.bundle.hash),
    requestTag: requestTag ?? new Uint8Array(0),
    mode,
    psk,
    open: encodeOpenBundle(open),
    mailbox: open.bundle.inbox.mailbox,
    device: null,
    notAfter: ownTime(open.bundle.notAfter, input),
  }
}

/**
 * When it closes here, in seconds of engine time: what it says itself is for the clocks of others, and a clock of ours that is
 * set closes nothing [D-108].
 */
export function ownTime(notAfter: number, input: StepInput): number {
  return seconds(input) + notAfter - wallSeconds(input)
}

/** The same by the machine's clock, unix seconds. */
export function shownEnd({ notAfter }: Pick<OpenBundleRecord, "notAfter">, input: StepInput): number {
  return notAfter - seconds(input) + wallSeconds(input)
}

/**
 * By link, by file and for an introduction [S-5]: long enough for a mail or a memory stick, short enough that a forgotten one
 * opens nothing.
 */
export const OFFER_LIFE_S = 7 * DAY_S
/** As many links and files as anyone hands out at a time; each is a subscription of its own. */
const OPEN_OFFERS_MAX = 32
const OFFER_ID_BYTES = 4

/** What the user calls an offer. Its mailbox is random, and no secret of the offer. */
export function offerId({ mailbox }: Pick<OpenBundleRecord, "mailbox">): string {
  return toHex(mailbox.subarray(0, OFFER_ID_BYTES))
}

/** Offers that can still be answered, without the bundles of introductions; `now` in seconds. */
export function openOffers(state: EngineState, now: number): OpenBundleRecord[] {
  return [...state.offers.values()].filter(
    ({ mode, notAfter }) => mode !== MODE.introduction && notAfter >= now,
  )
}

/** Faults `refused` if there is no room for one more offer: none is ended before its time. */
export function requireRoom(state: EngineState, now: number): void {
  if (openOffers(state, now).length < OPEN_OFFERS_MAX) return
  const why = `${OPEN_OFFERS_MAX} offers are open already`
  throw new Fault("refused", why, "mqttchat pair --list, then: mqttchat pair --cancel ID")
}

/** The offer that an INIT in this mailbox answers. Recovery bundles are no offers. */
export function offeredTo(
  state: EngineState,
  mailbox: Uint8Array,
  tag: Uint8Array,
): OpenBundleRecord | undefined {
  const record = state.bundles.get(toHex(tag))
  return record?.device === null && toHex(record.mailbox) === toHex(mailbox) ? record : undefined
}

/** The offer that a link request in this mailbox asks for. */
export function requestedFrom(
  state: EngineState,
  mailbox: Uint8Array,
  tag: Uint8Array,
): OpenBundleRecord | undefined {
  const record = state.requestable.get(toHex(tag))
  return record !== undefined && equal(record.mailbox, mailbox) ? record : undefined
}

/** Whether a recovery bundle of this device can be answered with the secret of its present session. */
export function isOfPresentSession(record: OpenBundleRecord, { id, recoverySecret }: DeviceRecord): boolean {
  if (record.device !== id) return false
  const { hash } = readBundleSecrets(record).open.bundle
  return equal(record.psk, recoveryPsk(hash, recoverySecret as RecoverySecret))
}

/** The recovery bundles of a device that can still be answered. */
export function bundlesOf(state: EngineState, device: DeviceId): OpenBundleRecord[] {
  return (state.bundlesByDevice.get(device) ?? []).flatMap((tag) => state.bundles.get(tag) ?? [])
}

export function closing(records: readonly OpenBundleRecord[]): Change[] {
  return records.map(({ tag }) => ({ kind: "close-bundle", tag }))
}
