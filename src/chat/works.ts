import { fromBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ContactId } from "../store/records.ts"
import type { ConnectionState } from "../transport/transport.ts"
import { arrive, type Surroundings } from "./receiving/arrivals.ts"
import { closing, expiredBundles } from "./handshakes/bundles.ts"
import type { Told } from "./decision.ts"
import { PairingDesk } from "./desk.ts"
import { seconds } from "./draft.ts"
import { openExpiry, type Expiry } from "./expiry.ts"
import { openGaps, type Gaps } from "./receiving/gaps.ts"
import { HomeLink, reportOf } from "./home-link.ts"
import { openJournal, type Journal } from "./journal.ts"
import { openLimits } from "./limits.ts"
import { openMailboxes, type Mailboxes } from "./contacts/mailboxes.ts"
import { Outbox } from "./sending/outbox.ts"
import type { Ports } from "./ports.ts"
import { openReceipts, type Receipts } from "./sending/receipts.ts"
import { openRecoveries, type Recoveries } from "./handshakes/recoveries.ts"
import { openResending, type Resending } from "./sending/resending.ts"
import { openShowing, type Showing } from "./receiving/showing.ts"
import { openTidings, type Tidings } from "./tidings.ts"
import { noteReplaced } from "./contacts/turned-away.ts"

/** What leaves last: a broker that does not answer is not waited for longer when the program ends. */
const GOODBYE_MS = 2_000

/** The parts of a running engine. */
export type Works = {
  readonly ports: Ports
  readonly journal: Journal
  readonly outbox: Outbox
  readonly receipts: Receipts
  readonly tidings: Tidings
  readonly mailboxes: Mailboxes
  readonly home: HomeLink
  readonly desk: PairingDesk
  readonly showing: Showing
  readonly gaps: Gaps
  readonly recoveries: Recoveries
  readonly resending: Resending
  readonly close: () => Promise<void>
}

/** Loads the profile's memory and starts connecting. The store stays the caller's to close. */
export async function openWorks(ports: Ports): Promise<Works> {
  const journal: Journal = await openJournal(ports.store, (told) => {
    if (told.some(startsTimers)) expiry.rearm()
    return tidings.tell(told)
  })
  const tidings: Tidings = openTidings({
    store: ports.store,
    book: journal.book,
    onWelcomed: (contact, renamedFrom) => desk.onWelcomed(contact, renamedFrom),
  })
  const expiry: Expiry = openExpiry(ports, journal)
  const outbox = new Outbox(ports, journal, (letter) => mailboxes.mayLeave(letter))
  const receipts = openReceipts(ports, journal, outbox)
  await forgetExpiredBundles(ports, journal)

  const home: HomeLink = new HomeLink(ports, {
    onOther: (topic, payload) => arrive(surroundings, topic, payload),
    onState: (state) => {
      outbox.use(state.kind === "online" ? home.link() : undefined)
      if (state.kind === "online" && !state.sessionPresent) inBackground(tidings, outbox.rush())
      if (state.kind === "online") recoveries.beginRestored()
      if (state.kind !== "offline") inBackground(tidings, noteStanding(journal, state))
      tidings.event({ event: "link", link: reportOf(state, true) })
    },
    onLink: () => mailboxes.openAll(),
  })
  const mailboxes: Mailboxes = openMailboxes({
    book: journal.book,
    link: () => home.link(),
    device: () => fromBase64url(home.deviceId() ?? ""),
    onOpen: outbox.pump,
    onRefused: (why) => tidings.event({ event: "notice", contact: null, text: why.message }),
  })
  const resending = openResending({
    ports,
    journal,
    outbox,
    inBackground: (work) => inBackground(tidings, work),
  })
  const parts = { ports, journal, outbox, receipts, tidings, mailboxes, home, resending }
  const desk: PairingDesk = new PairingDesk({ ...parts, onRefreshed: resending.start })
  const gaps = openGaps({
    ports,
    journal,
    isOnline: () => home.report().kind === "online",
    onAsked: outbox.pump,
  })
  const recoveries = openRecoveries({
    ports,
    journal,
    inboxAt: desk.inboxAt,
    onBegun: resending.start,
    onHopeless: (contact, why) => tellHopeless(parts, contact, why),
  })
  const showing = openShowing(ports, journal, () => {
    expiry.rearm()
    outbox.pump()
  })
  const all = { ...parts, desk, showing, gaps, recoveries }
  const surroundings = surroundingsOf(all)
  home.start()
  return { ...all, close: () => close(parts, desk) }
}

/** Where frames arrive. */
function surroundingsOf(parts: Omit<Works, "close">): Surroundings {
  const { ports, journal, home, receipts, gaps, outbox, recoveries, desk } = parts
  return {
    ports,
    journal,
    limits: openLimits(),
    deviceId: () => home.deviceId(),
    line: () => home.link(),
    onReceived: (contact, receiptsWait) => {
      if (receiptsWait) receipts.schedule(contact)
      gaps.watch(contact)
      outbox.pump()
    },
    onFitting: recoveries.onFitting,
    onAccepted: (offer, accepted) => desk.onAccepted(offer, accepted),
  }
}

type Parts = Pick<Works, "ports" | "receipts" | "outbox" | "home" | "journal" | "tidings">

/** The time of our own texts begins when they are there. */
function startsTimers(told: Told): boolean {
  return told.told === "receipt" || told.told === "read"
}

function tellHopeless({ journal, tidings }: Parts, contact: ContactId, { message }: Fault): void {
  const name = journal.book().contacts.get(contact)?.name
  if (name === undefined) return
  const text = `what ${name} sends cannot be read: ${message}; mqttchat reset ${name}, or pair again: mqttchat pair`
  tidings.event({ event: "notice", contact: name, text })
}

/** Whether another device has taken the place of this one. */
async function noteStanding(journal: Journal, state: Exclude<ConnectionState, { kind: "offline" }>): Promise<void> {
  const isReplaced = state.kind === "stopped" && state.why.code === "replaced"
  if (state.kind === "stopped" && !isReplaced) return
  await journal.run((book) => noteReplaced(book, state.kind === "stopped" ? state.why : undefined))
}

/** What nobody waits for and a later start does again must not end the process when the disk is full. */
function inBackground(tidings: Tidings, work: Promise<void>): void {
  work.catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
    tidings.event({ event: "notice", contact: null, text: fault.message })
  })
}

async function forgetExpiredBundles(ports: Ports, journal: Journal): Promise<void> {
  const now = seconds({ now: ports.now(), random: ports.random })
  await journal.run((book) => ({ commit: closing(expiredBundles(book, now)), tell: [], result: null }))
}

async function close(parts: Parts, desk: PairingDesk): Promise<void> {
  const { ports, receipts, outbox, home, journal } = parts
  desk.close()
  await receipts.finish()
  let cancel: () => void = () => undefined
  const patience = new Promise<void>((resolve) => (cancel = ports.after(GOODBYE_MS, resolve)))
  await Promise.race([outbox.drained(), patience])
  cancel()
  outbox.stop()
  await home.close()
  await journal.idle()
}
