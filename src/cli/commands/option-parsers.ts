import { InvalidArgumentError } from "commander"
import type { LoopbackAddress } from "../../daemon/tcp.ts"
import { DURATION_FORM, milliseconds, readDuration, readTimer, TIMER_FORM } from "../terminal/duration.ts"
import { readTime, TIME_FORM } from "../terminal/point-in-time.ts"

const PORT_MAX = 65_535
/** More descriptors than one process can have. */
const CONNECTIONS_MAX = 60_000
/** What one answer of the engine holds. */
const LIMIT_MAX = 10_000

/** If receipts waited longer, the sender would believe that nothing had arrived. */
const RECEIPT_DELAY_MS_MAX = 60_000

const LOOPBACK_NAMES: Readonly<Record<string, LoopbackAddress["host"]>> = {
  "127.0.0.1": "127.0.0.1",
  localhost: "127.0.0.1",
  "[::1]": "::1",
}

export function port(text: string): number {
  return integer(text, 0, PORT_MAX)
}

export function limit(text: string): number {
  return integer(text, 1, LIMIT_MAX)
}

/** As the store counts them; 15 digits are exact in a number. */
export function eventNumber(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError("an event number is needed")
}

/** As `mqttchat introductions` shows it. */
export function introductionNumber(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text)
  throw new InvalidArgumentError("the number of an introduction is needed")
}

export function connections(text: string): number {
  return integer(text, 1, CONNECTIONS_MAX)
}

export function fileDescriptor(text: string): number {
  return integer(text, 0, PORT_MAX)
}

export function pointInTime(text: string): number {
  const time = readTime(text, Date.now())
  if (time !== undefined) return time
  throw new InvalidArgumentError(TIME_FORM)
}

export function duration(text: string): number {
  const ms = readDuration(text)
  if (ms !== undefined) return ms
  throw new InvalidArgumentError(DURATION_FORM)
}

/** As the API bounds it. */
export function receiptDelay(text: string): number {
  const ms = milliseconds(text)
  if (ms <= RECEIPT_DELAY_MS_MAX) return ms
  throw new InvalidArgumentError("a time from 0s to 1m is needed")
}

/** In ms, as long as a timer may be. */
export function muteTime(text: string): number {
  const seconds = readTimer(text)
  if (seconds !== undefined) return seconds * 1000
  throw new InvalidArgumentError(TIMER_FORM)
}

/** `PORT` or `HOST:PORT`, of this machine alone. */
export function loopback(text: string): LoopbackAddress {
  const [, named = "127.0.0.1", digits = ""] = /^(?:(.+):)?([0-9]{1,5})$/.exec(text) ?? []
  const host = LOOPBACK_NAMES[named]
  if (host !== undefined && digits !== "") return { host, port: port(digits) }
  throw new InvalidArgumentError("a port of this machine is needed: PORT, 127.0.0.1:PORT or [::1]:PORT")
}

function integer(text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^[0-9]{1,5}$/.test(text) && number >= min && number <= max) return number
  throw new InvalidArgumentError(`a number from ${min} to ${max} is needed`)
}
