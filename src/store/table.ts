import type { Database, Row, Value } from "./database.ts"
import { recordColumns, type Fields } from "./fields.ts"

/** One table of records: its columns are declared once, and every statement is generated from them. */
export type Table<R> = {
  readonly name: string
  readonly columns: readonly string[]
  /** The columns of its primary key. */
  readonly key: readonly string[]
  /** `INSERT INTO ... VALUES (...)`, with a placeholder for each of `values`. */
  readonly insert: string
  /** The same, but replaces the record of the same key. */
  readonly upsert: string
  readonly values: (record: R) => readonly Value[]
  readonly read: (row: Row) => R
}

export function table<R>(name: string, key: readonly string[], fields: Fields<R>): Table<R> {
  const { columns, values, read } = recordColumns(fields)
  const placeholders = columns.map(() => "?").join(", ")
  const insert = `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${placeholders})`
  const replaced = columns.filter((column) => !key.includes(column))
  const updates = replaced.map((column) => `${column} = excluded.${column}`).join(", ")
  return {
    name,
    columns,
    key,
    insert,
    upsert: `${insert} ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${updates}`,
    values,
    read: (row) => read(row, 0),
  }
}

/** Writes a record, and replaces the one of the same key. */
export function put<R>(database: Database, into: Table<R>, record: R): void {
  database.run(into.upsert, ...into.values(record))
}

/** All records, in the order of the column `by`. */
export function selectAll<R>(database: Database, from: Table<R>, by: string): R[] {
  return database.select(from.read, `SELECT ${from.columns.join(", ")} FROM ${from.name} ORDER BY ${by}`)
}

/** The records with these numbers in these columns, in the order of their key. */
export function selectWhere<R>(
  database: Database,
  from: Table<R>,
  where: Readonly<Record<string, number>>,
): R[] {
  const columns = Object.keys(where)
  const condition = columns.map((column) => `${column} = ?`).join(" AND ")
  const order = from.key.join(", ")
  const sql = `SELECT ${from.columns.join(", ")} FROM ${from.name} WHERE ${condition} ORDER BY ${order}`
  return database.select(from.read, sql, ...Object.values(where))
}
