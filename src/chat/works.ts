import { fromBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ContactId } from "../store/records.ts"
import { arrive, type Surroundings } from "./arrivals.ts"
import { closing, expiredOffers } from "./bundles.ts"
import { PairingDesk } from "./desk.ts"
import { HomeLink, reportOf } from "./home-link.ts"
import { openJournal, type Journal } from "./journal.ts"
import { openLimits } from "./limits.ts"
import { openMailboxes, type Mailboxes } from "./mailboxes.ts"
import { seconds } from "./outbound.ts"
import { Outbox } from "./outbox.ts"
import type { Ports } from "./ports.ts"
import { openReceipts, type Receipts } from "./receipts.ts"
import { openTidings, type Tidings } from "./tidings.ts"
import { sendUnsent, unsentContacts } from "./unsent.ts"

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
  readonly close: () => Promise<void>
}

/** Loads the profile's memory and starts connecting. The store stays the caller's to close. */
export async function openWorks(ports: Ports): Promise<Works> {
  const journal: Journal = await openJournal(ports.store, (told) => tidings.tell(told))
  const tidings: Tidings = openTidings({
    store: ports.store,
    book: journal.book,
    onWelcomed: (contact, renamedFrom) => desk.onWelcomed(contact, renamedFrom),
  })
  const outbox = new Outbox(ports, journal, (letter) => mailboxes.mayLeave(letter))
  const receipts = openReceipts(ports, journal, outbox)
  await forgetExpiredOffers(ports, journal)

  const surroundings: Surroundings = {
    ports,
    journal,
    limits: openLimits(),
    deviceId: () => home.deviceId(),
    line: () => home.link(),
    onReceived: (contact) => {
      receipts.schedule(contact)
      outbox.pump()
    },
    onAccepted: (offer, accepted) => desk.onAccepted(offer, accepted),
  }
  const home: HomeLink = new HomeLink(ports, {
    onOther: (topic, payload) => arrive(surroundings, topic, payload),
    onState: (state) => {
      outbox.use(state.kind === "online" ? home.link() : undefined)
      if (state.kind === "online" && !state.sessionPresent) inBackground(tidings, outbox.rush())
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
  const parts = { ports, journal, outbox, receipts, tidings, mailboxes, home }
  const desk: PairingDesk = new PairingDesk({ ...parts, onRefreshed: (contact) => resend(parts, contact) })
  home.start()
  for (const contact of unsentContacts(journal.book())) resend(parts, contact)
  return { ...parts, desk, close: () => close(parts, desk) }
}

type Parts = Omit<Works, "desk" | "close">

function resend({ ports, journal, outbox, tidings }: Parts, contact: ContactId): void {
  inBackground(tidings, sendUnsent(ports, journal, contact).then(outbox.pump))
}

/** What nobody waits for and a later start does again must not end the process when the disk is full. */
function inBackground(tidings: Tidings, work: Promise<void>): void {
  work.catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
    tidings.event({ event: "notice", contact: null, text: fault.message })
  })
}

async function forgetExpiredOffers(ports: Ports, journal: Journal): Promise<void> {
  const now = seconds({ now: ports.now(), random: ports.random })
  await journal.run((book) => ({ commit: closing(expiredOffers(book, now)), tell: [], result: null }))
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
