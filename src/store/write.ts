import type { AccountWrite } from "./account-record.ts"
import { Fault } from "../errors.ts"
import type { Database } from "./database.ts"
import { deleteWaiting } from "./delete-waiting.ts"
import { isOneDeletedEarly } from "./early-changes.ts"
import { INTRODUCTIONS } from "./introduction-record.ts"
import { Recorder } from "./recorder.ts"
import type { CommitReport, DevicePartWrite, DeviceParts, Write } from "./records.ts"
import { putSupersededKey } from "./superseded-keys.ts"
import {
  ACCOUNT_LINKS,
  CONTACTS,
  CONVERSATIONS,
  DEVICES,
  DEVICE_TABLES,
  HELD,
  KNOWN_IDS,
  OPEN_BUNDLES,
  OUTGOING,
  OWN_ACCOUNT_LINKS,
  SESSIONS,
  SETTINGS,
  type DevicePart,
} from "./tables.ts"
import { put } from "./table.ts"
import {
  addReceivedFrame,
  addRecipient,
  adoptHistory,
  deleteMessages,
  expire,
  forgetContact,
  markShown,
  moveTimers,
} from "./write-messages.ts"

/** Writes all of it or nothing; on disk when this returns. */
export function commit(database: Database, writes: readonly Write[]): CommitReport {
  const recorder = new Recorder(database)
  const isErased =
    writes.some((write) => erases(write) || erasesDraft(database, write)) || bringsDeleted(database, writes)
  database.transaction(() => {
    for (const write of writes) apply(database, recorder, write)
  })
  if (isErased) emptyLog(database)
  return recorder.report
}

const ERASING: ReadonlySet<Write["kind"]> = new Set([
  ...(["delete", "delete-waiting", "expire", "forget-contact", "forget-device", "end-session"] as const),
])

/** The write-ahead log still holds earlier copies of the pages that these have cleared. */
function erases(write: Write): boolean {
  return write.kind === "change" ? write.change.kind === "delete" : ERASING.has(write.kind)
}

/** Whether a draft that is on the disk is removed. */
function erasesDraft(database: Database, write: Write): boolean {
  if (write.kind !== "conversation" || write.conversation.draft !== "") return false
  const sql = "SELECT 1 FROM conversations WHERE id = ? AND draft <> ''"
  return database.select(() => true, sql, write.conversation.id).length > 0
}

/** Whether they bring a text that was deleted before it was shown. */
function bringsDeleted(database: Database, writes: readonly Write[]): boolean {
  return isOneDeletedEarly(
    database,
    writes.flatMap((write) => (write.kind === "message" ? [write.message] : [])),
  )
}

/** The commit is on disk whether this succeeds or not; the next such commit, or closing the store, tries again. */
function emptyLog(database: Database): void {
  try {
    database.run("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
  }
}

function apply(database: Database, recorder: Recorder, write: Write): void {
  switch (write.kind) {
    case "contact":
      put(database, CONTACTS, write.contact)
      return
    case "forget-contact":
      forgetContact(database, write.id)
      return
    case "device":
      put(database, DEVICES, write.device)
      return
    case "forget-device":
      database.run("DELETE FROM devices WHERE id = ?", write.id)
      return
    case "account-links":
    case "own-link":
      putLinks(database, write)
      return
    case "session":
    case "end-session":
      changeSession(database, write)
      return
    case "conversation":
      put(database, CONVERSATIONS, write.conversation)
      return
    case "message":
    case "message-state":
    case "change":
    case "event":
    case "recipient":
    case "shown":
    case "expire":
    case "move-timers":
    case "delete":
    case "adopt-history":
    case "superseded-key":
    case "known-id":
    case "delete-waiting":
      applyToMessages(database, recorder, write)
      return
    case "received-frame":
      addReceivedFrame(database, write.frame)
      return
    case "held":
    case "held-done":
      changeHeld(database, write)
      return
    case "introduction":
    case "introduction-done":
      changeIntroduction(database, write)
      return
    case "outgoing":
    case "outgoing-done":
      changeOutgoing(database, write)
      return
    case "open-bundle":
      put(database, OPEN_BUNDLES, write.bundle)
      return
    case "close-bundle":
      database.run("DELETE FROM open_bundles WHERE tag = ?", write.tag)
      return
    case "device-part":
      putPart(database, write)
      return
    case "setting":
      put(database, SETTINGS, write)
      return
  }
}

function changeSession(database: Database, write: Extract<Write, { kind: "session" | "end-session" }>): void {
  if (write.kind === "session") put(database, SESSIONS, write)
  else database.run("DELETE FROM sessions WHERE device = ?", write.device)
}

function putLinks(database: Database, write: AccountWrite): void {
  if (write.kind === "own-link") {
    put(database, OWN_ACCOUNT_LINKS, write)
    return
  }
  database.run("DELETE FROM account_links WHERE contact = ?", write.contact)
  for (const link of write.links) put(database, ACCOUNT_LINKS, { ...link, contact: write.contact })
}

function changeOutgoing(
  database: Database,
  write: Extract<Write, { kind: "outgoing" | "outgoing-done" }>,
): void {
  if (write.kind === "outgoing") put(database, OUTGOING, write.outgoing)
  else database.run("DELETE FROM outgoing WHERE seq = ?", write.seq)
}

function changeHeld(database: Database, write: Extract<Write, { kind: "held" | "held-done" }>): void {
  if (write.kind === "held") put(database, HELD, write.held)
  else database.run("DELETE FROM held WHERE device = ? AND number = ?", write.device, write.number)
}

function changeIntroduction(
  database: Database,
  write: Extract<Write, { kind: "introduction" | "introduction-done" }>,
): void {
  if (write.kind === "introduction") put(database, INTRODUCTIONS, write.introduction)
  else database.run("DELETE FROM introductions WHERE id = ?", write.id)
}

type MessageWrite = Extract<
  Write,
  {
    kind:
      | "message"
      | "message-state"
      | "change"
      | "event"
      | "recipient"
      | "shown"
      | "expire"
      | "move-timers"
      | "delete"
      | "adopt-history"
      | "superseded-key"
      | "known-id"
      | "delete-waiting"
  }
>

function applyToMessages(database: Database, recorder: Recorder, write: MessageWrite): void {
  switch (write.kind) {
    case "message":
      recorder.addMessage(write)
      return
    case "message-state":
      recorder.changeState(write)
      return
    case "change":
      recorder.changeMessage(write)
      return
    case "event":
      recorder.addEvent(write.event)
      return
    case "recipient":
      addRecipient(database, write)
      return
    case "shown":
      markShown(database, write)
      return
    case "expire":
      expire(database, write.at)
      return
    case "move-timers":
      moveTimers(database, write)
      return
    case "delete":
      deleteMessages(database, write)
      return
    case "adopt-history":
      adoptHistory(database, write)
      return
    case "superseded-key":
      putSupersededKey(database, write)
      return
    case "known-id":
      put(database, KNOWN_IDS, write.known)
      return
    case "delete-waiting":
      deleteWaiting(database, write)
      return
  }
}

function putPart<Part extends keyof DeviceParts>(
  database: Database,
  { part, device, value }: DevicePartWrite<Part>,
): void {
  put<DevicePart<Part>>(database, DEVICE_TABLES[part], { device, value })
}
