import { headOf } from "../../account/chain-link.ts"
import type { BackupLink, BackupMessage, BackupProfile, BackupRecord } from "../../backup/contents.ts"
import type { BackupKnownId } from "../../backup/known-id.ts"
import type { BackupChange } from "../../backup/message-change.ts"
import { toBase64url, type Random } from "../../crypto/bytes.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import {
  type ContactRecord,
  NEW_CONTACT,
  NEW_CONVERSATION,
  NEW_DEVICE,
  type Write,
} from "../../store/records.ts"
import type { AccountLink } from "../../store/account-record.ts"
import { withoutReservedShape } from "../../wire/reserved-names.ts"
import { TakenNames } from "../../wire/taken-names.ts"
import { displayName } from "../../wire/text.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { unsealedChange, unsealedEntry } from "../state/unsealed.ts"
import { RESTORED } from "../contacts/device-state.ts"
import type { BrokerConfig } from "../state/ports.ts"
import { WE } from "../../store/names.ts"
import { type Store } from "../../store/message-store.ts"
import { type MessageState, type NewMessage, type Recipient } from "../../store/message-records.ts"
import { type ContactId, type ConversationId, type DeviceId } from "../../store/ids.ts"

/** Records of one commit: a commit costs a flush to the disk, and these at most 16 MiB of memory. */
const RECORDS_PER_COMMIT = 256

export type ImportCounts = { readonly contacts: number; readonly messages: number }

/**
 * Fills an empty store with the contacts and conversations of a backup; the engine then recovers every session. A
 * partly filled store must be discarded. Faults of the backup and of the store.
 */
export async function fillStore(
  store: Store,
  records: AsyncIterable<Exclude<BackupRecord, { record: "profile" }>>,
): Promise<ImportCounts> {
  const filling = new Filling()
  let writes: Write[] = []
  for await (const each of records) {
    writes.push(...filling.writesOf(each))
    if (writes.length < RECORDS_PER_COMMIT) continue
    await store.commit(writes)
    writes = []
  }
  await store.commit([...writes, ...filling.lastWrites()])
  return filling.counts
}

/** Writes of the records of a backup, in their order. */
class Filling {
  readonly counts = { contacts: 0, messages: 0 }
  readonly #names = new TakenNames()
  readonly #devicesOf = new Map<number, readonly DeviceId[]>()
  readonly #conversations = new Map<ContactId, ConversationId>()
  #devices = 0
  #contact: ContactRecord | undefined
  #links: readonly AccountLink[] = []
  #outgoing = 0
  /** What became of the message before it was superseded is written first: its superseded key would refuse it. */
  #supersededKeys: Write[] = []

  writesOf(each: Exclude<BackupRecord, { record: "profile" }>): Write[] {
    if (each.record === "change") return this.#changeOf(each.change)
    return [...this.lastWrites(), ...this.#writesOf(each)]
  }

  /** After the changes of the last message. */
  lastWrites(): Write[] {
    const writes = this.#supersededKeys
    this.#supersededKeys = []
    return writes
  }

  #writesOf(each: Exclude<BackupRecord, { record: "profile" | "change" }>): Write[] {
    switch (each.record) {
      case "contact": {
        this.counts.contacts++
        const { timer, timerSetAt, mutedUntil, draft, ...contact } = each.contact
        const id = (this.#conversations.size + 1) as ConversationId
        this.#conversations.set(contact.id, id)
        const conversation = {
          ...NEW_CONVERSATION,
          id,
          contact: contact.id,
          timer,
          timerSetAt,
          mutedUntil,
          draft,
        }
        const name = this.#restoredName(contact)
        const by = contact.introducedBy
        const introducedBy = by && { ...by, name: displayName(by.name) }
        this.#contact = { ...NEW_CONTACT, ...contact, name, introducedBy }
        this.#links = []
        return [
          { kind: "contact", contact: this.#contact },
          { kind: "conversation", conversation },
        ]
      }
      case "link":
        return this.#linkWrites(each.link)
      case "device": {
        const device = { ...NEW_DEVICE, ...each.device, id: ++this.#devices, state: RESTORED }
        this.#devicesOf.set(device.contact, [...(this.#devicesOf.get(device.contact) ?? []), device.id])
        return [{ kind: "device", device }]
      }
      case "message": {
        this.counts.messages++
        return this.#messageOf(each.message)
      }
      case "known-id":
        return this.#knownIdOf(each.known)
    }
  }

  #messageOf(found: BackupMessage): Write[] {
    const { contact, mine, recipients, supersededKey: key, isPending, ...message } = found
    const conversation = this.#conversations.get(contact)
    if (conversation === undefined) return []
    const author = mine || message.kind === "line" ? null : contact
    const toDevices = this.#devicesOf.has(contact)
    const restored = { ...message, conversation, author, state: stateHere(message.state, toDevices) }
    if (key !== undefined)
      this.#supersededKeys = [{ kind: "superseded-key", conversation, author, id: message.id, key }]
    return [
      {
        kind: "message",
        message: restored,
        recipients: recipients.map((each) => recipientHere(each, toDevices)),
      },
      ...this.#unsealed(contact, restored, isPending),
    ]
  }

  #knownIdOf({ contact, mine, ...known }: BackupKnownId): Write[] {
    const conversation = this.#conversations.get(contact)
    if (conversation === undefined) return []
    return [{ kind: "known-id", known: { ...known, conversation, author: mine ? WE : contact } }]
  }

  /** What the other machine had not brought to the contact is sealed here once there are sessions. */
  #unsealed(contact: ContactId, { id, state, storedAt: now }: NewMessage, delivered: boolean): Write[] {
    if (state !== "queued" && !delivered) return []
    const devices = this.#devicesOf.get(contact) ?? []
    return devices.map((device) => ({
      kind: "outgoing",
      outgoing: unsealedEntry({ device, seq: ++this.#outgoing, id, now, delivered }),
    }))
  }

  /** The account id is the head of the first link. */
  #linkWrites({ contact, ...link }: BackupLink): Write[] {
    if (contact === 0) return [{ kind: "own-link", number: link.number, link: link.link }]
    this.#links = [...this.#links, link]
    const accountLinks: Write = { kind: "account-links", contact, links: this.#links }
    if (this.#contact === undefined || link.branch !== 0 || link.number !== 0) return [accountLinks]
    return [{ kind: "contact", contact: { ...this.#contact, accountId: headOf(link.link) } }, accountLinks]
  }

  /** One that was not acknowledged is sent again, from here. */
  #changeOf(found: BackupChange): Write[] {
    const { contact, mine, id, digest, change, at, isPending, isDelivered: delivered } = found
    const conversation = this.#conversations.get(contact)
    if (conversation === undefined) return []
    const author = mine ? null : contact
    const carried = { author, id, digest, kind: change.kind, time: change.time, number: 0 }
    const devices = isPending ? (this.#devicesOf.get(contact) ?? []) : []
    const waiting = devices.map((device): Write => ({
      kind: "outgoing",
      outgoing: unsealedChange({ device, seq: ++this.#outgoing, change: carried, now: at, delivered }),
    }))
    return [{ kind: "change", conversation, author, id, digest, change, at }, ...waiting]
  }

  /** The file may be from another version or made by hand: a name in it is fit for a contact and unlike the others. */
  #restoredName({ id, name }: Pick<ContactRecord, "id" | "name">): string {
    const cleaned = displayName(name).trim()
    const free = this.#names.free(withoutReservedShape(cleaned) === undefined ? `unnamed-${id}` : cleaned)
    this.#names.add(free)
    return free
  }
}

/**
 * A text that another machine published and its receiver has not acknowledged is sent again, from here; without a device of
 * theirs it would wait for ever [D-144].
 */
function stateHere<State extends MessageState>(
  state: State | "queued" | "given-up",
  toDevices: boolean,
): State | "queued" | "given-up" {
  if (state !== "broker" && state !== "queued") return state
  return toDevices ? "queued" : "given-up"
}

function recipientHere({ state, ...rest }: Recipient, toDevices: boolean): Recipient {
  return { ...rest, state: stateHere(state, toDevices) }
}

export function restoredBroker({ broker }: BackupProfile): BrokerConfig | undefined {
  if (broker === undefined) return undefined
  const { nodes, guests, proof, registrar } = broker
  const [address, ...others] = nodes
  return {
    address,
    ...(others.length === 0 ? {} : { others }),
    ...(guests === undefined ? {} : { guests }),
    trust: proof,
    ...(registrar === undefined ? {} : { registrar }),
  }
}

/** Another machine is another device, even for a broker that only knows the account. */
export function restoredCredential(
  { credential }: BackupProfile,
  random: Random,
): StoredCredential | undefined {
  if (credential?.kind !== "account") return credential
  return { ...credential, deviceId: toBase64url(random(ID_BYTES)) }
}
