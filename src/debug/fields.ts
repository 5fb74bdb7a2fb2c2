/** Four bytes tell ids apart on a screen, and begin an id as `--json` prints it. */
const ID_BYTES = 4
const ID = /^[0-9a-f]{8}$/
const METHOD = /^[a-z][a-z-]{0,31}$/

declare const kind: unique symbol

/** How an id begins, as 8 hex digits. */
export type ShortId = string & { readonly [kind]: "ShortId" }
/** A key of one of our own tables of commands. */
export type MethodName = string & { readonly [kind]: "MethodName" }

/** What one field of a debug line may hold. No kind of field accepts text that a person or a peer chose. */
export type Field<Value> = {
  readonly admits: (value: unknown) => value is Value
  /** All values it may hold, if that is a list. */
  readonly words?: readonly string[]
}

export const number: Field<number> = { admits: (value): value is number => Number.isFinite(value) }
export const flag: Field<boolean> = { admits: (value) => typeof value === "boolean" }
export const id: Field<ShortId> = { admits: (value): value is ShortId => matches(value, ID) }
export const method: Field<MethodName> = { admits: (value): value is MethodName => matches(value, METHOD) }

/** One of these words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Field<Word> {
  return { words, admits: (value): value is Word => words.some((word) => word === value) }
}

/** Key types are branded; plain bytes are not. */
type Unmarked<Bytes extends Uint8Array> =
  Exclude<keyof Bytes, keyof Uint8Array | keyof Buffer> extends never ? Bytes : never

/** Of a message id, a mailbox or a device id; the compiler refuses a key. */
export function shortId<Bytes extends Uint8Array>(bytes: Unmarked<Bytes>): ShortId {
  return Buffer.from(bytes.subarray(0, ID_BYTES)).toString("hex") as ShortId
}

/** The method, if `commands` has it: a client may send any text. */
export function methodIn(commands: object, asked: string): MethodName | undefined {
  return Object.hasOwn(commands, asked) ? (asked as MethodName) : undefined
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value)
}
