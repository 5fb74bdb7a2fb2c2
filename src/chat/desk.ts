import { equal, fromBase64url, toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ContactId, ContactRecord, OpenBundleRecord } from "../store/records.ts"
import { ID_BYTES, type Inbox } from "../wire/topics.ts"
import { momentOf } from "./receiving/arrivals.ts"
import { bundleRecord, closing } from "./handshakes/bundles.ts"
import type { Decision } from "./decision.ts"
import { findContactById } from "./contacts/contacts.ts"
import type { Accepted } from "./handshakes/accepting.ts"
import { startHandshake, type Started } from "./handshakes/handshakes.ts"
import type { HomeLink } from "./home-link.ts"
import type { Journal } from "./journal.ts"
import { openLine, UNHEARD } from "./line.ts"
import type { Mailboxes } from "./contacts/mailboxes.ts"
import type { Outbox } from "./sending/outbox.ts"
import type { Answered, Desk, Expected, Line, Paired, Ports } from "./ports.ts"
import { describePaired, type Tidings } from "./tidings.ts"

export type DeskSource = {
  readonly ports: Ports
  readonly journal: Journal
  readonly home: HomeLink
  readonly mailboxes: Mailboxes
  readonly outbox: Outbox
  readonly tidings: Tidings
  /** The handshake took an old session away: its texts go again. */
  readonly onRefreshed: (contact: ContactId) => void
}

type Waiter = {
  readonly known: boolean
  readonly resolve: (paired: Paired) => void
  readonly reject: (why: Fault) => void
}

/** The pairing side of the engine: what the drivers borrow, and what the engine tells them. */
export class PairingDesk implements Desk {
  readonly ports: Ports
  readonly #source: DeskSource
  /** By INIT tag in hex. */
  readonly #expected = new Map<string, Expected["onPaired"]>()
  readonly #welcomes = new Map<ContactId, Waiter>()

  constructor(source: DeskSource) {
    this.ports = source.ports
    this.#source = source
  }

  readonly line = (): Line => {
    const link = this.#source.home.link()
    if (link !== undefined) return link
    throw new Fault("config", "this profile has no broker yet", "mqttchat pair CODE@HOST")
  }

  readonly dial: Desk["dial"] = (target) => openLine(this.ports.connect, target, UNHEARD)

  readonly moveIn: Desk["moveIn"] = (broker, credential) => this.#source.home.moveIn(broker, credential)

  readonly newInbox = (): Inbox => this.inboxAt(this.ports.random(ID_BYTES))

  /** An inbox of ours with this mailbox of 16 bytes. */
  readonly inboxAt = (mailbox: Uint8Array): Inbox => {
    const device = fromBase64url(this.#source.home.deviceId() ?? "")
    if (device?.length === ID_BYTES) return { device, mailbox }
    throw new Fault("config", "this profile has no place at a broker yet", "mqttchat pair CODE@HOST")
  }

  readonly tell: Desk["tell"] = (event) => this.#source.tidings.event(event)

  readonly expect: Desk["expect"] = async (offer) => {
    const bundle = bundleRecord(offer)
    const tag = toHex(bundle.tag)
    this.#expected.set(tag, offer.onPaired)
    await this.#source.journal.run(() => ({
      commit: [{ kind: "open-bundle", bundle }],
      tell: [],
      result: null,
    }))
    await this.#whileOnline(this.#source.mailboxes.open(bundle.mailbox))
    return { withdraw: () => this.#withdraw(tag, bundle.mailbox) }
  }

  readonly initiate: Desk["initiate"] = async (answered) => {
    const { journal, mailboxes, outbox } = this.#source
    const { contact: id, before, letter } = await this.#start(answered)
    const welcomed = this.#welcome(id, before !== undefined)
    this.#replaced(before)
    const inPlace = mailboxes.open(answered.inbox.mailbox).then(() => outbox.acknowledged(letter))
    await this.#whileOnline(inPlace)
    const contact = findContactById(journal.book(), id)
    const met = { known: before !== undefined, renamedFrom: null }
    return { paired: describePaired(journal.book(), contact, met), welcomed }
  }

  /** An INIT for one of our offers is on disk. */
  onAccepted(offer: OpenBundleRecord, { contact: id, before, renamedFrom }: Accepted): void {
    const { journal, tidings, outbox } = this.#source
    this.#replaced(before)
    outbox.pump()
    const contact = journal.book().contacts.get(id)
    if (contact === undefined || offer.contact !== null) return
    const met = { known: before !== undefined, renamedFrom }
    const paired = describePaired(journal.book(), contact, met)
    const tag = toHex(offer.tag)
    this.#expected.get(tag)?.(paired)
    this.#expected.delete(tag)
    tidings.event({ event: "paired", ...paired })
  }

  /** The owner of a bundle that we answered has spoken. */
  onWelcomed(contact: ContactRecord, renamedFrom: string | null): void {
    const { journal, tidings } = this.#source
    const waiter = this.#welcomes.get(contact.id)
    this.#welcomes.delete(contact.id)
    const met = { known: waiter?.known ?? false, renamedFrom }
    const paired = describePaired(journal.book(), contact, met)
    waiter?.resolve(paired)
    tidings.event({ event: "paired", ...paired })
  }

  /** Nobody is paired any more. */
  close(): void {
    for (const { reject } of this.#welcomes.values()) {
      reject(new Fault("unavailable", "mqttchat is closing", "mqttchat contacts"))
    }
    this.#welcomes.clear()
  }

  async #start(answered: Answered): Promise<Started> {
    const { identity, name, reach } = this.ports
    const started = await this.#source.journal.run((book) => {
      const decision = startHandshake(book, { identity, name }, answered, momentOf(this.ports))
      reach("init-decided")
      return decision
    })
    reach("init-committed")
    return started
  }

  #welcome(id: ContactId, known: boolean): Promise<Paired> {
    const welcomed = new Promise<Paired>((resolve, reject) => {
      this.#welcomes.set(id, { known, resolve, reject })
    })
    // Not every driver waits for it: a file is answered whenever its owner comes online.
    welcomed.catch(ignoreUnavailable)
    return welcomed
  }

  async #withdraw(tag: string, mailbox: Uint8Array): Promise<void> {
    this.#expected.delete(tag)
    const isOpen = await this.#source.journal.run((book): Decision<boolean> => {
      const record = book.bundles.get(tag)
      const records = record === undefined ? [] : [record]
      return { commit: closing(records), tell: [], result: record !== undefined }
    })
    if (isOpen) this.#source.mailboxes.close(mailbox)
  }

  /** Offline, what was committed goes on by itself when the link is back. */
  async #whileOnline(done: Promise<void>): Promise<void> {
    if (this.#source.home.report().kind === "online") await done
    else done.catch(ignoreUnavailable)
  }

  #replaced(before: ContactRecord | undefined): void {
    if (before === undefined) return
    const { journal, mailboxes, onRefreshed } = this.#source
    const now = journal.book().contacts.get(before.id)
    if (now === undefined || !equal(now.mailbox, before.mailbox)) mailboxes.close(before.mailbox)
    onRefreshed(before.id)
  }
}

function ignoreUnavailable(fault: unknown): void {
  if (!(fault instanceof Fault) || fault.code !== "unavailable") throw fault
}
