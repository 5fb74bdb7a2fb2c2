import { codeOf } from "../errors.ts"
import type { Database } from "./database.ts"

/** Of a rotation: something is to be done for it, or ended. */
export const IS_ROTATING = "(confirmed = 0 OR length(next) > 0 OR length(old) > 0)"

/**
 * What finds rows without a look at all of them. A store that was made before has all that these hold, and works without
 * them, only slower: they are no other version, and are made when it is opened.
 */
const INDEXES: readonly string[] = [
  // What is looked for when a profile opens, whatever the number of its contacts.
  "devices_by_mailbox ON devices (mailbox)",
  "devices_recovering ON devices (id) WHERE state = 'recovering'",
  "open_bundles_by_device ON open_bundles (device)",
  "open_bundles_by_end ON open_bundles (not_after)",
  "shown_accounts_unfinished ON shown_accounts (device) WHERE until > 0",
  "receipts_waiting ON pending_receipts (device) WHERE length(mids) > 0",
  `mailbox_rotations_under_way ON mailbox_rotations (device) WHERE ${IS_ROTATING}`,
  "mailbox_rotations_with_old ON mailbox_rotations (device) WHERE length(old) > 0",
  // One frame in 256, and each message that disappears, looks for what is old enough to be forgotten.
  "received_frames_by_time ON received_frames (at)",
  "known_ids_by_time ON known_ids (at)",
]

const COUNT = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?"

export function addIndexes(database: Database): void {
  const missing = INDEXES.filter((index) => !hasIndex(database, index))
  if (missing.length === 0) return
  try {
    database.transaction(() => {
      for (const index of missing) database.execute(`CREATE INDEX ${index}`)
    })
  } catch (cause) {
    // A full disk keeps no one from reading.
    if (codeOf(cause) !== "disk-full") throw cause
  }
}

function hasIndex(database: Database, index: string): boolean {
  const name = index.slice(0, index.indexOf(" "))
  return database.select((row) => row.number(0), COUNT, name)[0] === 1
}
