import { Database } from "./database.ts"
import { inspectLog, noteDamage } from "./damaged-log.ts"
import { earlyChanges } from "./early-changes.ts"
import { eventsAfter } from "./event-log.ts"
import { newestIds, ownChanges } from "./newest.ts"
import type { FileSystem } from "./files.ts"
import { nodeFiles } from "./files.ts"
import {
  countMessages,
  countUnshown,
  findMessage,
  findMessageById,
  findMessages,
  hasFrame,
  knownText,
  receivedFrom,
  messagesAfter,
  messagesBetween,
  messagesIn,
  nextExpiry,
  unshownCounts,
  unshownMessages,
} from "./history.ts"
import { knownIdsAfter } from "./known-ids.ts"
import { commit } from "./write.ts"
import { loadSetting, loadState } from "./load.ts"
import { prepareTables } from "./schema.ts"
import type { Store } from "./message-store.ts"

/**
 * Opens the encrypted store at `path`, or makes it (0600) if there is none; its folder must exist, and the caller
 * holds the profile's lock. `key` has 32 bytes and may be wiped afterwards.
 * Faults `damaged-database` (a wrong key, a foreign or changed file), `disk-full`, `io`; `config` for a file of
 * another version. A store whose log was damaged opens with what lies before the damage, and the setting `damaged-log`.
 */
export async function openStore(
  path: string,
  key: Uint8Array,
  files: FileSystem = nodeFiles,
): Promise<Store> {
  const damagedLog = inspectLog(path, files)
  const database = await Database.open(path, key, files)
  try {
    prepareTables(database, path)
    if (damagedLog !== undefined) noteDamage(database, damagedLog)
  } catch (cause) {
    database.close()
    throw cause
  }
  return {
    load: () => promised(() => loadState(database)),
    commit: (writes) => promised(() => commit(database, writes)),
    history: (conversation, page) => promised(() => messagesIn(database, conversation, page)),
    messages: (after, limit) => promised(() => messagesAfter(database, after, limit)),
    unshown: (page = {}) => promised(() => unshownMessages(database, page)),
    countUnshown: (conversation) => promised(() => countUnshown(database, conversation)),
    unshownCounts: () => promised(() => unshownCounts(database)),
    search: (query, page) => promised(() => findMessages(database, query, page)),
    events: (after, limit) => promised(() => eventsAfter(database, after, limit)),
    receivedFrom: (contact, since) => promised(() => receivedFrom(database, contact, since)),
    hasFrame: (contact, mid) => promised(() => hasFrame(database, contact, mid)),
    findMessage: (name) => promised(() => findMessage(database, name)),
    findMessageById: (conversation, id) => promised(() => findMessageById(database, conversation, id)),
    knownText: (conversation, id) => promised(() => knownText(database, conversation, id)),
    messagesBetween: (first, last, page) => promised(() => messagesBetween(database, first, last, page)),
    countMessages: (conversation, from, upTo) =>
      promised(() => countMessages(database, conversation, from, upTo)),
    knownIds: (after, limit) => promised(() => knownIdsAfter(database, after, limit)),
    earlyChanges: () => promised(() => earlyChanges(database)),
    newestIds: (conversation, author, limit) =>
      promised(() => newestIds(database, conversation, author, limit)),
    ownChanges: (conversation, since, limit) =>
      promised(() => ownChanges(database, conversation, since, limit)),
    nextExpiry: () => promised(() => nextExpiry(database)),
    setting: (key) => promised(() => loadSetting(database, key)),
    isWhole: () =>
      promised(() => {
        const [first, ...more] = database.select((row) => row.text(0), "PRAGMA integrity_check")
        return first === "ok" && more.length === 0
      }),
    close: () => promised(() => database.close()),
  }
}

/** Does the work synchronously; an exception still becomes a rejection. */
function promised<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()))
}
