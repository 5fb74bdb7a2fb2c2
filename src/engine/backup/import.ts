import type { BackupProfile, BackupRecord } from "../../backup/contents.ts"
import { toBase64url, type Random } from "../../crypto/bytes.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { NEW_CONTACT, type MessageState, type Store, type Write } from "../../store/records.ts"
import { ID_BYTES } from "../../wire/topics.ts"
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
  let writes: Write[] = []
  for await (const each of records) {
    if (each.record === "contact") counts.contacts++
    else counts.messages++
    writes.push(writeOf(each))
    if (writes.length < RECORDS_PER_COMMIT) continue
    await store.commit(writes)
    writes = []
  }
  await store.commit(writes)
  return counts
}

function writeOf(each: Exclude<BackupRecord, { record: "profile" }>): Write {
  if (each.record === "contact") {
    return { kind: "contact", contact: { ...NEW_CONTACT, ...each.contact, state: RESTORED } }
  }
  const { message } = each
  return { kind: "message", message: { ...message, state: stateHere(message.state) } }
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
