import { Fault } from "../errors.ts"
import { CREATE_TABLES } from "./create-tables.ts"
import type { Database } from "./database.ts"
import { damaged } from "./database.ts"
import { addIndexes } from "./indexes.ts"

/** The `user_version` of a file. Below 10, a contact was its only device; below 11, deliveries had no days and refusals. */
const SCHEMA_VERSION = 11
/** That of a file without tables. */
const NEW_FILE = 0

/** Makes the tables in a new file. Refuses a file of another version, which it leaves as it is: Fault `config`. */
export function prepareTables(database: Database, path: string): void {
  const [version] = database.select((row) => row.number(0), "PRAGMA user_version")
  if (version === undefined) throw damaged(path)
  if (version === NEW_FILE) {
    database.transaction(() => createTables(database))
  } else if (version !== SCHEMA_VERSION) {
    throw otherVersion(path, version < SCHEMA_VERSION)
  }
  addIndexes(database)
}

function createTables(database: Database): void {
  for (const sql of CREATE_TABLES) database.execute(sql)
  database.execute(`PRAGMA user_version = ${SCHEMA_VERSION}`)
}

function otherVersion(path: string, isEarlier: boolean): Fault {
  const [which, what] = isEarlier
    ? [
        "an earlier version, and this one cannot read it",
        "mqttchat init --new-database, which sets it aside and keeps your identity",
      ]
    : ["a later version", "install the version of mqttchat that wrote it, or a later one"]
  return new Fault("config", `the message store ${path} was written by ${which}`, what)
}
