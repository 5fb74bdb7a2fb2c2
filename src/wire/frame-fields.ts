import { littleEndian } from "./codec.ts"
import type { Reader } from "./codec.ts"

const U16_MAX = 0xffff
const U32_MAX = 0xffff_ffff

/** The parts of a body in order. */
export type Body = readonly Uint8Array[]

/** One field of a frame. */
export type Field<Value> = {
  /** Its layout in src/wire/SPEC.md. */
  readonly layout: string
  /** Undefined for a value outside its bounds. */
  readonly write: (value: Value) => Body | undefined
  /** Refuses what `write` would not have written. */
  readonly read: (reader: Reader) => Value
}

export function bytes(label: string, length: number): Field<Uint8Array> {
  return {
    layout: `${label} ${length}`,
    write: (value) => (value.length === length ? [value] : undefined),
    read: (reader) => reader.bytes(length),
  }
}

/** 1 to `max` bytes after their length in one byte. */
export function shortBytes(label: string, max: number): Field<Uint8Array> {
  return {
    layout: `${label} length u8 | ${label}`,
    write: (value) => (isWithin(value.length, 1, max) ? [Uint8Array.of(value.length), value] : undefined),
    read: (reader) => reader.bytes(readWithin(reader, reader.u8(), 1, max)),
  }
}

/** `min` to `max` bytes, to the end of the body. */
export function remainingBytes(label: string, max: number, min = 1): Field<Uint8Array> {
  return {
    layout: label,
    write: (value) => (isWithin(value.length, min, max) ? [value] : undefined),
    read: (reader) => {
      const value = reader.rest()
      readWithin(reader, value.length, min, max)
      return value
    },
  }
}

export function u16(label: string, min = 1): Field<number> {
  return {
    layout: `${label} u16`,
    write: (value) => (isWithin(value, min, U16_MAX) ? [littleEndian(value, 2)] : undefined),
    read: (reader) => readWithin(reader, reader.u16(), min, U16_MAX),
  }
}

export function u32(label: string, max = U32_MAX): Field<number> {
  return {
    layout: `${label} u32`,
    write: (value) => (isWithin(value, 0, max) ? [littleEndian(value, 4)] : undefined),
    read: (reader) => readWithin(reader, reader.u32(), 0, max),
  }
}

/** A clock in milliseconds since 1970. */
export function time(label: string): Field<number> {
  return {
    layout: `${label} u64`,
    write: (value) => (isWithin(value, 0, Number.MAX_SAFE_INTEGER) ? [littleEndian(value, 8)] : undefined),
    read: (reader) => reader.u64(),
  }
}

export function flag(label: string): Field<boolean> {
  return {
    layout: `${label} u8`,
    write: (value) => [Uint8Array.of(Number(value))],
    read: (reader) => readWithin(reader, reader.u8(), 0, 1) === 1,
  }
}

/** One of these words, as its number from 1 on. */
export function oneOf<Word extends string>(label: string, words: readonly Word[]): Field<Word> {
  return {
    layout: `${label} u8`,
    write: (value) => (words.includes(value) ? [Uint8Array.of(words.indexOf(value) + 1)] : undefined),
    read: (reader) => words[readWithin(reader, reader.u8(), 1, words.length) - 1] ?? (words[0] as Word),
  }
}

/** `min` to `max` items after their count. */
export function list<Item>(item: Field<Item>, max: number, min = 1): Field<readonly Item[]> {
  return {
    layout: `count u8 | ${item.layout} ...`,
    write: (items) => {
      const parts = items.map((value) => item.write(value))
      if (!isWithin(items.length, min, max) || parts.some((part) => part === undefined)) return undefined
      return [Uint8Array.of(items.length), ...parts.flatMap((part) => part ?? [])]
    },
    read: (reader) => {
      const length = readWithin(reader, reader.u8(), min, max)
      return reader.spoilt ? [] : Array.from({ length }, () => item.read(reader))
    },
  }
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max
}

function readWithin(reader: Reader, value: number, min: number, max: number): number {
  if (!isWithin(value, min, max)) reader.refuse()
  return value
}
