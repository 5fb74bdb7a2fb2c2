import type { Row, Value } from "./database.ts"

/** How a table stores one field of a record: in a column of the same name, or in several. */
export type Field<T> = {
  /** Names of its columns, from the field's name in the record. */
  readonly columns: (name: string) => readonly string[]
  /** One value for each column. */
  readonly write: (value: T) => readonly Value[]
  /** Reads it from its columns, the first of which is at `at`. */
  readonly read: (row: Row, at: number) => T
}

export type Fields<R> = { readonly [Name in keyof R]: Field<R[Name]> }

const TIME_BYTES = 8

export const integer = single<number>(
  (value) => value,
  (row, at) => row.number(at),
)
export const text = single<string>(
  (value) => value,
  (row, at) => row.text(at),
)
export const bytes = single<Uint8Array>(
  (value) => value,
  (row, at) => row.bytes(at),
)
/** Undefined is NULL. */
export const optionalBytes = single<Uint8Array | undefined>(
  (value) => value ?? null,
  (row, at) => (row.isNull(at) ? undefined : row.bytes(at)),
)
export const flag = single<boolean>(Number, (row, at) => row.number(at) === 1)
export const integerOrNull = single<number | null>(
  (value) => value,
  (row, at) => (row.isNull(at) ? null : row.number(at)),
)
/** Unix ms each, as u64 in sequence. */
export const times = single<readonly number[]>(
  (list) => writeTimes(list),
  (row, at) => pieces(row.bytes(at), TIME_BYTES).map(readTime),
)

export function oneOf<Word extends string>(words: readonly Word[]): Field<Word> {
  return single<Word>(
    (value) => value,
    (row, at) => row.oneOf(at, words),
  )
}

/** The same, nullable. */
export function oneOfOrNull<Word extends string>(words: readonly Word[]): Field<Word | null> {
  return single<Word | null>(
    (value) => value,
    (row, at) => (row.isNull(at) ? null : row.oneOf(at, words)),
  )
}

/** The same for a field that may be missing. */
export function oneOfOptional<Word extends string>(words: readonly Word[]): Field<Word | undefined> {
  return single<Word | undefined>(
    (value) => value ?? null,
    (row, at) => (row.isNull(at) ? undefined : row.oneOf(at, words)),
  )
}

/** Byte strings of one length, in sequence. */
export function listOf(length: number): Field<readonly Uint8Array[]> {
  return single<readonly Uint8Array[]>(
    (list) => new Uint8Array(Buffer.concat(list)),
    (row, at) => pieces(row.bytes(at), length),
  )
}

/** The fields of a record in their columns, worked out once: every row that is read or written uses it. */
export type RecordColumns<R> = {
  readonly columns: readonly string[]
  readonly values: (record: R) => Value[]
  /** Reads a record from its columns, the first of which is at `from`. */
  readonly read: (row: Row, from: number) => R
}

export function recordColumns<R>(fields: Fields<R>): RecordColumns<R> {
  const indexed = indexColumns(fields)
  return {
    columns: indexed.flatMap(({ columns }) => columns),
    values: (record) => {
      const values: Value[] = []
      for (const { name, field } of indexed) values.push(...field.write(record[name]))
      return values
    },
    read: (row, from) => {
      const record: Partial<R> = {}
      for (const { name, field, at } of indexed) record[name] = field.read(row, from + at)
      return record as R
    },
  }
}

/** Each field with the index of its first column. */
function indexColumns<R>(fields: Fields<R>) {
  let at = 0
  return (Object.keys(fields) as (keyof R & string)[]).map((name) => {
    const field = fields[name]
    const indexed = { name, field, columns: field.columns(name), at }
    at += indexed.columns.length
    return indexed
  })
}

/** A nested record, in columns of the same table whose names start with `prefix`. */
export function group<T>(fields: Fields<T>, prefix = ""): Field<T> {
  const { columns, values, read } = recordColumns(fields)
  const prefixed = columns.map((name) => prefix + name)
  return { columns: () => prefixed, write: values, read }
}

/** A group that may be missing: its columns are then null. */
export function optional<T>(fields: Fields<T>, prefix = ""): Field<T | undefined> {
  const present = group(fields, prefix)
  const missing = present.columns("").map(() => null)
  return {
    columns: present.columns,
    write: (value) => (value === undefined ? missing : present.write(value)),
    read: (row, at) => (row.isNull(at) ? undefined : present.read(row, at)),
  }
}

function single<T>(write: (value: T) => Value, read: (row: Row, at: number) => T): Field<T> {
  return { columns: (name) => [snakeCase(name)], write: (value) => [write(value)], read }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
}

function pieces(all: Uint8Array, length: number): Uint8Array[] {
  const count = Math.floor(all.length / length)
  return Array.from({ length: count }, (_, i) => all.slice(i * length, (i + 1) * length))
}

function writeTimes(list: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(list.length * TIME_BYTES))
  for (const [i, time] of list.entries()) view.setBigUint64(i * TIME_BYTES, BigInt(time), true)
  return new Uint8Array(view.buffer)
}

function readTime(piece: Uint8Array): number {
  return Number(new DataView(piece.buffer, piece.byteOffset).getBigUint64(0, true))
}
