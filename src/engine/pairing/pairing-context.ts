import { equal, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { MODE } from "../../session/handshake.ts"
import type { OpenBundleRecord } from "../../store/records.ts"
import { ID_BYTES, splitInbox, type Inbox } from "../../wire/topics.ts"
import { bundleRecord, closing, openOffers, offerId, requireRoom } from "../handshake/bundles.ts"
import { noChange, NOT_RENAMED, type Decision, type Effect, type Renaming } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { lastInits, wasAcceptedSince } from "../handshake/accepted-since.ts"
import { MINUTE_MS } from "../../time-units.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { findContactById } from "../contacts/contacts.ts"
import { contactOf, findDevice, findDeviceById } from "../contacts/devices.ts"
import { selfOf } from "../handshake/hello.ts"
import { startHandshake, type Started } from "../handshake/initiator.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { strikeGuess } from "./rate-memory.ts"
import { openInboxConnection, NO_EVENTS } from "../connection/inbox-connection.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { Outbox } from "../messages/outbox.ts"
import type {
  Answered,
  Connection,
  Expected,
  Initiated,
  Paired,
  PairingContext,
  PairingMark,
  Ports,
} from "../state/ports.ts"
import type { Events } from "../state/event-emitter.ts"
import { seconds, stepInput } from "../state/update.ts"
import { describePaired } from "../contacts/describe.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Two people who have sent each other a link open them within this time; who pairs anew later means it. */
const CROSSED_MS = 2 * MINUTE_MS

export type PairingSource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly broker: BrokerConnection
  readonly mailboxes: Mailboxes
  readonly outbox: Outbox
  readonly events: Events
}

type Outcome = Renaming & { readonly known: boolean }

type Begun = Started & { readonly kind: "started" }
type Met = { readonly kind: "met"; readonly device: DeviceId; readonly since: PairingMark }

type Accepted = Outcome & { readonly pairing: number; readonly at: number }

type Waiter = {
  readonly outcome: Outcome
  readonly resolve: (paired: Paired) => void
  readonly reject: (why: Fault) => void
}

/** The pairing side of the engine: what the drivers use, and what the engine reports to them. */
export class EnginePairing implements PairingContext {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly #source: PairingSource
  /** By INIT tag in hex. */
  readonly #expected = new Map<string, Expected["onPaired"]>()
  readonly #welcomes = new Map<DeviceId, Waiter>()
  /** Of each device that has answered an offer of ours, the last time. */
  readonly #accepted = new Map<DeviceId, Accepted>()
  #pairings = 0

  constructor(source: PairingSource) {
    this.ports = source.ports
    this.queue = source.queue
    this.#source = source
  }

  readonly connection = (): Connection => {
    const connection = this.#source.broker.connection()
    if (connection !== undefined) return connection
    throw new Fault("config", "this profile has no broker yet", "mqttchat pair CODE@HOST")
  }

  readonly dial: PairingContext["dial"] = (target) =>
    openInboxConnection(this.ports.connect, target, NO_EVENTS)

  readonly joinBroker: PairingContext["joinBroker"] = (join, limitMs) =>
    this.#source.broker.joinBroker(join, limitMs)

  readonly moveBroker: PairingContext["moveBroker"] = (broker) => this.#source.broker.moveBroker(broker)

  readonly newInbox = (): Inbox => this.#source.mailboxes.inboxAt(this.ports.random(ID_BYTES))

  readonly emit: PairingContext["emit"] = (event) => this.#source.events.emit(event)

  readonly expect: PairingContext["expect"] = async (offer) => {
    const bundle = bundleRecord(offer, stepInput(this.ports))
    const tag = toHex(bundle.tag)
    this.#expected.set(tag, offer.onPaired)
    await this.#source.queue.run((state): Decision<null> => {
      if (offer.mode !== MODE.code) requireRoom(state, seconds(stepInput(this.ports)))
      const struck = offer.proved === undefined ? [] : strikeGuess(state, offer.proved)
      return { commit: [{ kind: "open-bundle", bundle }, ...struck], effects: [], result: null }
    })
    await this.#whileOnline(this.#source.mailboxes.open(bundle.mailbox))
    return { cancel: () => this.#cancelOffer(tag, bundle.mailbox) }
  }

  readonly mark: PairingContext["mark"] = () => ({
    accepted: lastInits(this.queue.state()),
    pairings: this.#pairings,
  })

  readonly initiate: PairingContext["initiate"] = async (answered) => {
    const { queue, mailboxes, outbox } = this.#source
    const started = await this.#start(answered)
    if (started.kind === "met") return this.#adoptPairing(started)
    const { device: id, previous, renaming, initSeq } = started
    const outcome = { known: previous !== undefined, ...renaming }
    const welcomed = this.#welcome(id, outcome)
    const initSent = mailboxes.open(answered.inbox.mailbox).then(() => outbox.acknowledged(initSeq))
    await this.#whileOnline(initSent)
    if (!queue.state().devices.has(id)) await this.#ended(welcomed)
    const device = findDeviceById(queue.state(), id)
    const contact = findContactById(queue.state(), device.contact)
    return { paired: describePaired(queue.state(), contact, device, outcome), welcomed }
  }

  /** The owner of this device id has answered our offer a moment ago: opening their link as well changes nothing. */
  readonly metLately: PairingContext["metLately"] = (peerDevice) => {
    const state = this.queue.state()
    const now = this.ports.now()
    for (const [id, accepted] of this.#accepted) {
      const device = state.devices.get(id)
      const isLately = Math.abs(now - accepted.at) < CROSSED_MS
      if (!isLately || device === undefined) continue
      if (equal(splitInbox(device.peerInbox).device, peerDevice)) return this.#describe(id, accepted)
    }
    return undefined
  }

  /** An INIT for one of our offers is on disk. */
  onAccepted({ device: id, tag, offer, known, renaming }: Extract<Effect, { kind: "accepted" }>): void {
    const paired = this.#describe(id, { known, ...renaming })
    if (paired === undefined) return
    this.#pairings += 1
    this.#accepted.set(id, { known, ...renaming, pairing: this.#pairings, at: this.ports.now() })
    this.#expected.get(toHex(tag))?.(paired)
    this.#expected.delete(toHex(tag))
    // Both sides answered the other's offer, and this handshake is the one that stays.
    this.#welcomes.get(id)?.resolve(paired)
    this.#welcomes.delete(id)
    this.emit({ kind: "paired", ...paired, offer })
  }

  /** The owner of a bundle that we answered has sent its first message. */
  onWelcomed({ device: id, renaming }: Extract<Effect, { kind: "welcomed" }>): void {
    const waiter = this.#welcomes.get(id)
    this.#welcomes.delete(id)
    const begun = waiter?.outcome
    const known = begun?.known ?? false
    const outcome = { ...(renaming.renamedFrom === null ? (begun ?? renaming) : renaming), known }
    const paired = this.#describe(id, outcome)
    if (paired === undefined) return
    waiter?.resolve(paired)
    this.emit({ kind: "paired", ...paired, offer: null })
  }

  /** A handshake ended before its peer was known. */
  onEnded({ device, why }: Extract<Effect, { kind: "ended" }>): void {
    this.#welcomes.get(device)?.reject(new Fault("refused", `the other side ${why}`, "mqttchat pair"))
    this.#welcomes.delete(device)
  }

  /** Every offer whose bundle is kept, by the user's name for it. */
  openOffers(): readonly OpenBundleRecord[] {
    return openOffers(this.queue.state(), seconds(stepInput(this.ports)))
  }

  /** Ends an offer whose bundle is kept. False if there is none with this id. */
  async closeOffer(id: string): Promise<boolean> {
    const record = this.openOffers().find((one) => offerId(one) === id)
    if (record === undefined) return false
    await this.#cancelOffer(toHex(record.tag), record.mailbox)
    return true
  }

  /** Ends all pairings under way. */
  close(): void {
    for (const { reject } of this.#welcomes.values()) {
      reject(new Fault("unavailable", "mqttchat is closing", "mqttchat contacts"))
    }
    this.#welcomes.clear()
  }

  /** The answer may be there before the INIT's PUBACK. If it ended the handshake, its reason is the fault. */
  async #ended(welcomed: Promise<Paired>): Promise<void> {
    await this.#source.queue.idle()
    await Promise.race([welcomed, Promise.resolve()])
  }

  /** They have answered our offer while we fetched theirs. It may still take a frame until they are a contact. */
  #adoptPairing({ device: id, since }: Met): Initiated {
    const accepted = this.#accepted.get(id)
    const isDone = accepted !== undefined && accepted.pairing > since.pairings
    const outcome = isDone ? accepted : { known: since.accepted.has(id), ...NOT_RENAMED }
    const state = this.queue.state()
    const device = findDeviceById(state, id)
    const paired = describePaired(state, findContactById(state, device.contact), device, outcome)
    return { paired, welcomed: isDone ? Promise.resolve(paired) : this.#welcome(id, outcome) }
  }

  async #start(answered: Answered): Promise<Begun | Met> {
    const { reach } = this.ports
    const started = await this.#source.queue.run((state): Decision<Begun | Met> => {
      const met = metSince(state, answered)
      if (met !== undefined) return noChange(met)
      const decision = startHandshake(state, selfOf(state, this.ports), answered, stepInput(this.ports))
      reach("init-decided")
      return { ...decision, result: { kind: "started", ...decision.result } }
    })
    reach("init-committed")
    return started
  }

  /** Undefined if it was forgotten meanwhile. */
  #describe(id: DeviceId, outcome: Outcome): Paired | undefined {
    const state = this.#source.queue.state()
    const [device, contact] = [state.devices.get(id), contactOf(state, id)]
    return device && contact && describePaired(state, contact, device, outcome)
  }

  #welcome(id: DeviceId, outcome: Outcome): Promise<Paired> {
    const welcomed = new Promise<Paired>((resolve, reject) => {
      this.#welcomes.set(id, { outcome, resolve, reject })
    })
    // Not every driver awaits it: a file is answered when its owner comes online, perhaps days later.
    welcomed.catch(ignoreEnd)
    return welcomed
  }

  async #cancelOffer(tag: string, mailbox: Uint8Array): Promise<void> {
    this.#expected.delete(tag)
    const wasOpen = await this.#source.queue.run((state): Decision<boolean> => {
      const record = state.bundles.get(tag)
      const records = record === undefined ? [] : [record]
      return { commit: closing(records), effects: [], result: record !== undefined }
    })
    if (wasOpen) this.#source.mailboxes.close(mailbox)
  }

  /** Offline, what was committed is sent when the connection is back. */
  async #whileOnline(done: Promise<void>): Promise<void> {
    if (this.#source.broker.status().kind === "online") await done
    else done.catch(ignoreUnavailable)
  }
}

function metSince(state: EngineState, { bundle, since }: Answered): Met | undefined {
  if (since === undefined) return undefined
  const device = findDevice(state, encodeIdentity(bundle.owner))
  const isMet = device !== undefined && wasAcceptedSince(state, device.id, since.accepted)
  return isMet ? { kind: "met", device: device.id, since } : undefined
}

function ignoreEnd(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}

function ignoreUnavailable(fault: unknown): void {
  if (!(fault instanceof Fault) || fault.code !== "unavailable") throw fault
}
