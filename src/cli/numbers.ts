import { InvalidArgumentError } from "commander"

const PORT_MAX = 65_535
/** More than one process has descriptors for. */
const CONNECTIONS_MAX = 60_000
/** What one answer of the engine holds. */
const LIMIT_MAX = 10_000

export function port(text: string): number {
  return whole(text, 0, PORT_MAX)
}

export function limit(text: string): number {
  return whole(text, 1, LIMIT_MAX)
}

export function connections(text: string): number {
  return whole(text, 1, CONNECTIONS_MAX)
}

export function descriptor(text: string): number {
  return whole(text, 0, PORT_MAX)
}

function whole(text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^[0-9]{1,5}$/.test(text) && number >= min && number <= max) return number
  throw new InvalidArgumentError(`a number from ${min} to ${max} is needed`)
}
