import { isAbsolute } from "node:path"

import type { BackupBroker, BackupMessage, BackupProfile, BackupRecord } from "../../backup/contents.ts"
import { writeRecords } from "../../backup/records.ts"
import { Fault } from "../../errors.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { createFile } from "../../fs/atomic-file.ts"
import { sealStream } from "../../keystore/sealed-stream.ts"
import type { ContactRecord, HeldRecord } from "../../store/records.ts"
import type { Params, Results } from "../state/commands.ts"
import { isHidden } from "../accounts/unfinished.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { contactOf, devicesOf } from "../contacts/devices.ts"
import type { Account } from "../state/account.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { BrokerConfig, Ports } from "../state/ports.ts"
import { WE } from "../../store/names.ts"
import { isOurs } from "../../store/message-states.ts"
import type { ContactId, ConversationId } from "../../store/ids.ts"
import { contactIn, directWith } from "../state/conversations.ts"
import { deliveriesOf } from "../messages/deliveries.ts"
import { contentOf } from "../messages/message-content.ts"
import { changesOf, PendingChanges } from "./changes.ts"
import { addressesOf } from "../connection/broker-addresses.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { KnownId, StoredMessage } from "../../store/message-records.ts"
import type { Store } from "../../store/message-store.ts"

/** A text has at most 64 KiB, so a page takes at most 4 MiB. */
const PAGE = 64
/** An id takes some 200 bytes of memory. */
const KNOWN_IDS_PAGE = 1_000

/** Writes the backup to a new file. Faults `usage`, `exists`, `disk-full` and `io`. */
export async function exportBackup(
  { ports, queue }: { readonly ports: Ports; readonly queue: CommitQueue },
  { path, passphrase }: Params<"export">,
): Promise<Results["export"]> {
  if (!isAbsolute(path)) throw new Fault("usage", "a backup needs an absolute path", "mqttchat export FILE")
  const counts = { contacts: 0, messages: 0 }
  const records = counted(recordsOf(ports, queue.state()), counts)
  await createFile(path, sealStream(writeRecords(records), passphrase, ports.random))
  return counts
}

async function* counted(
  records: AsyncIterable<BackupRecord>,
  counts: { contacts: number; messages: number },
): AsyncGenerator<BackupRecord> {
  for await (const each of records) {
    if (each.record === "contact") counts.contacts++
    if (each.record === "message") counts.messages++
    yield each
  }
}

/** The contacts at its start, and the messages up to its end. */
async function* recordsOf(ports: Ports, state: EngineState): AsyncGenerator<BackupRecord> {
  yield { record: "profile", profile: profileOf(ports) }
  yield* linksOf(0, state.ownChain && { chain: state.ownChain, rival: undefined })
  const contacts = [...state.contacts.values()]
    .filter((contact) => !isHidden(state, contact))
    .sort((a, b) => a.id - b.id)
  const held = [...state.held.values()]
    .flatMap((texts) => [...texts.values()])
    .filter(({ device }) => !isUnfinished(state, device))
  for (const contact of contacts) yield* contactRecords(state, contact)
  yield* messageRecords(ports, state)
  // Their senders have receipts for them, so no later session sends them again.
  for (const one of held.sort((a, b) => a.number - b.number)) {
    for (const message of unreadMessage(state, one)) yield { record: "message", message }
  }
  yield* earlyChangesOf(ports, state)
  for (const change of new PendingChanges(state).deletions) yield { record: "change", change }
  yield* knownIdsOf(ports, state)
}

function profileOf(ports: Ports): BackupProfile {
  const { signSecret, boxSecret } = ports.identity
  const broker = ports.config.broker()
  const credential = portable(ports.config.credential(), broker)
  return { signSecret, boxSecret, name: ports.name(), broker: broker && portableBroker(broker), credential }
}

function* contactRecords(state: EngineState, contact: ContactRecord): Generator<BackupRecord> {
  const { timer, timerSetAt, mutedUntil, draft } = directWith(state, contact.id)
  yield { record: "contact", contact: { ...contact, timer, timerSetAt, mutedUntil, draft } }
  // What was shown of an account that is not verified belongs to a handshake, which ends here.
  yield* linksOf(contact.id, contact.accountId === undefined ? undefined : state.accounts.get(contact.id))
  for (const device of devicesOf(state, contact.id)) yield { record: "device", device }
}

/** What is pending is looked up for each page: it may have been sent since the page before. */
async function* messageRecords({ store }: Ports, state: EngineState): AsyncGenerator<BackupRecord> {
  for await (const page of pagesOf(store)) {
    const pending = new PendingChanges(state)
    for (const message of page) {
      const contact = exportedContact(state, message.conversation)
      if (contact !== undefined) yield* recordsAbout(state, message, contact, pending)
    }
  }
}

function* recordsAbout(
  state: EngineState,
  message: StoredMessage,
  contact: ContactId,
  pending: PendingChanges,
): Generator<BackupRecord> {
  const { text } = contentOf(message).first
  const isPending = isPendingElsewhere(state, message, contact)
  yield { record: "message", message: { ...message, text, contact, mine: isOurs(message), isPending } }
  for (const change of changesOf(message, contact, pending)) yield { record: "change", change }
}

/** Whether it is delivered, and a device of theirs has not acknowledged it. */
function isPendingElsewhere(state: EngineState, message: StoredMessage, contact: ContactId): boolean {
  const isDelivered = message.state === "delivered" || message.state === "read"
  return isDelivered && deliveriesOf(state, contact, message.id).length > 0
}

async function* earlyChangesOf({ store }: Ports, state: EngineState): AsyncGenerator<BackupRecord> {
  for (const early of await store.earlyChanges()) {
    const contact = exportedContact(state, early.conversation)
    if (contact !== undefined)
      yield {
        record: "change",
        change: { ...early, contact, mine: false, isPending: false, isDelivered: false },
      }
  }
}

/** Read last: a message that is deleted while the others are read is in one of the two. */
async function* knownIdsOf({ store }: Ports, state: EngineState): AsyncGenerator<BackupRecord> {
  for (let after: KnownId | undefined; ;) {
    const page = await store.knownIds(after, KNOWN_IDS_PAGE)
    for (const { conversation, author, ...known } of page) {
      const contact = exportedContact(state, conversation)
      if (contact !== undefined)
        yield { record: "known-id", known: { ...known, contact, mine: author === WE } }
    }
    after = page.at(-1)
    if (after === undefined) return
  }
}

/** The contact of a conversation, unless they are a stranger whose account is not verified [D-71]. */
function exportedContact(state: EngineState, conversation: ConversationId): ContactId | undefined {
  const id = contactIn(state, conversation)
  const contact = id === undefined ? undefined : state.contacts.get(id)
  return contact !== undefined && isHidden(state, contact) ? undefined : id
}

function linksOf(contact: number, account: Account | undefined): BackupRecord[] {
  const branches = account === undefined ? [] : [account.chain, account.rival]
  return branches.flatMap((chain, branch) =>
    (chain?.links ?? []).map(({ number, bytes }): BackupRecord => ({
      record: "link",
      link: { contact, branch, number, link: bytes },
    })),
  )
}

async function* pagesOf(store: Store): AsyncGenerator<readonly StoredMessage[]> {
  for (let after = 0; ;) {
    const page = await store.messages(after, PAGE)
    yield page
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

function unreadMessage(state: EngineState, { device, storedAt, text }: HeldRecord): BackupMessage[] {
  const contact = contactOf(state, device)?.id
  if (text === undefined || contact === undefined) return []
  const rest = { mine: false, kind: "text", state: "received", shown: false, expiresAt: 0 } as const
  return [{ ...text, ...rest, recipients: [], isPending: false, supersededKey: undefined, contact, storedAt }]
}

/**
 * The credential for another machine: an account or an invitation as it is. A device's certificate stays here, and so
 * does the device id of an account: with the same id, the broker would take both machines for one.
 */
function portable(
  credential: StoredCredential | undefined,
  broker: BrokerConfig | undefined,
): StoredCredential | undefined {
  if (credential?.kind === "account") return { ...credential, deviceId: "" }
  if (credential?.kind !== "device") return credential
  return broker?.registrar === undefined ? undefined : { kind: "restored" }
}

function portableBroker(broker: BrokerConfig): BackupBroker {
  const { trust, guests, registrar } = broker
  const proof = trust.kind === "pin" ? ({ kind: "pin", pin: trust.pin } as const) : trust
  return { nodes: addressesOf(broker), proof, ...(guests && { guests }), ...(registrar && { registrar }) }
}
