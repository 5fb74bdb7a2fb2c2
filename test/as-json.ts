import { toHex } from "../src/crypto/bytes.ts"

/** A value as JSON: bytes in hex, and null for what is not there. */
export function asJson(value: unknown): unknown {
  if (value === undefined) return null
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, asJson(field)]))
}
