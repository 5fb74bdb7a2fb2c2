import type { Database } from "./database.ts"
import { DEVICES_OF, DIRECT } from "./names.ts"
import type { Write } from "./records.ts"
import { HELD, KNOWN_IDS } from "./tables.ts"

/** All but the number that waits, which holds back nothing any more. */
const TEXT_COLUMNS = HELD.columns.filter(
  (column) => !["device", "number", "stored_at", "gone"].includes(column),
)

/**
 * What a contact sent and no one has seen: texts that wait for those before them, and edits and reactions that wait for their
 * message. A deletion stays, which holds no text, unless its message is one of those texts.
 */
export function deleteWaiting(
  database: Database,
  { contact, at }: Extract<Write, { kind: "delete-waiting" }>,
): void {
  database.run(
    `INSERT OR REPLACE INTO known_ids (${KNOWN_IDS.columns.join(", ")})
     SELECT (${DIRECT}), ?1, id, digest, ?2 FROM held WHERE id IS NOT NULL AND device IN (${DEVICES_OF})`,
    contact,
    at,
  )
  database.run(
    `DELETE FROM early_changes WHERE author = ?1 AND
       (kind <> 'delete' OR id IN (SELECT id FROM held WHERE device IN (${DEVICES_OF})))`,
    contact,
  )
  const emptied = TEXT_COLUMNS.map((column) => `${column} = NULL`).join(", ")
  database.run(`UPDATE held SET ${emptied} WHERE device IN (${DEVICES_OF})`, contact)
}
