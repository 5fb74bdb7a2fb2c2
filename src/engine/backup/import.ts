import type { BackupProfile, BackupRecord } from "../../backup/contents.ts"
import { toBase64url, type Random } from "../../crypto/bytes.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import {
  type ContactRecord,
  NEW_CONTACT,
  type MessageState,
  type Store,
  type Write,
} from "../../store/records.ts"
import { withoutReservedShape } from "../../wire/reserved-names.ts"
import { TakenNames } from "../../wire/taken-names.ts"
import { displayName } from "../../wire/text.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { placeholderName } from "../contacts/contacts.ts"
import { RESTORED } from "../contacts/conversation-state.ts"
import type { BrokerConfig } from "../state/ports.ts"

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
  const counts = { contacts: 0, messages: 0 }
  const names = new TakenNames()
  let writes: Write[] = []
  for await (const each of records) {
    if (each.record === "contact") counts.contacts++
    else counts.messages++
    writes.push(writeOf(each, names))
    if (writes.length < RECORDS_PER_COMMIT) continue
    await store.commit(writes)
    writes = []
  }
  await store.commit(writes)
  return counts
}

function writeOf(each: Exclude<BackupRecord, { record: "profile" }>, names: TakenNames): Write {
  if (each.record === "contact") {
    const name = restoredName(each.contact, names)
    return { kind: "contact", contact: { ...NEW_CONTACT, ...each.contact, name, state: RESTORED } }
  }
  const { message } = each
  return { kind: "message", message: { ...message, state: stateHere(message.state) } }
}

/** The file may be from another version or made by hand: a name in it is fit for a contact and unlike the others. */
function restoredName(
  { name, identity }: Pick<ContactRecord, "name" | "identity">,
  names: TakenNames,
): string {
  const cleaned = displayName(name).trim()
  const wanted = withoutReservedShape(cleaned) === undefined ? placeholderName(identity) : cleaned
  const free = names.free(wanted)
  names.add(free)
  return free
}

/** A text that another machine published and its receiver has not acknowledged is sent again, from here. */
function stateHere(state: MessageState): MessageState {
  return state === "broker" ? "queued" : state
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
