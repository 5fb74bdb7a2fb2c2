import { Fault } from "../../errors.ts"
import { DAY_MS } from "../../time-units.ts"
import { bad, good, unknown, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import type { TlsResult, ServerView } from "../probe/server.ts"
import { formatDay, formatDuration } from "./duration-format.ts"

/** Clocks of two machines, and of one file system, are never quite the same. */
const SLACK_MS = 120_000
/** An operator needs some days to notice. */
const SERVER_DAYS_MIN = 14
/** It is renewed with thirty of its ninety days left. */
const DEVICE_DAYS_MIN = 20

export const CLOCK: Check = {
  name: "clock",
  what: "this laptop's clock against certificates and files",
  why: "certificates, invitations and the order of messages go by it",
}
export const NAME: Check = {
  name: "name",
  what: "the address behind the broker's name",
  why: "without it there is nowhere to connect to",
}
export const TCP: Check = {
  name: "tcp",
  what: "whether anything listens there",
  why: "a firewall or a broker that does not run ends here",
}
export const TLS: Check = {
  name: "tls",
  what: "the TLS version",
  why: "TLS 1.3 hides the certificates of both sides from the network",
}
export const PIN: Check = {
  name: "pin",
  what: "whether the broker proves to be the one you trusted",
  why: "another in its place would see who talks to whom, and could drop messages",
}
export const CERTIFICATE: Check = {
  name: "certificate",
  what: "the remaining days of the broker's certificate",
  why: "no client connects to a broker whose certificate has expired",
}
export const DEVICE: Check = {
  name: "device",
  what: "the remaining days of this device's certificate",
  why: "it renews itself while the registrar can be reached; once expired, it cannot connect",
}

export const NODES: Check = {
  name: "nodes",
  what: "the other nodes of the broker",
  why: "when one is gone, the next takes over, if it is there and proves to be of the same broker",
}

const NOT_REACHED = "not looked at: the broker was not reached"

export type Validity = { readonly validFrom: number; readonly validTo: number }

/** `newest` is the last change of a file of the profile, unix ms. */
export function judgeClock(
  now: number,
  compared: {
    readonly server: Validity | undefined
    readonly device: Validity | undefined
    readonly newest: number
  },
): Judgement {
  const fix = "timedatectl set-ntp true"
  if (now + SLACK_MS < compared.newest) {
    return bad(
      "config",
      `it says ${formatDay(now)}, and files of this profile are ${formatDuration(compared.newest - now)} ahead`,
      fix,
    )
  }
  const early = [compared.server, compared.device].find(
    (validity) => validity && now + SLACK_MS < validity.validFrom,
  )
  if (early !== undefined) {
    return bad(
      "config",
      `it says ${formatDay(now)}, before a certificate that begins ${formatDay(early.validFrom)}`,
      fix,
    )
  }
  const { server } = compared
  if (server === undefined) return unknown("nothing of the broker's to compare it with")
  if (now > server.validTo) {
    return weak(
      `it says ${formatDay(now)}, after the broker's certificate ended on ${formatDay(server.validTo)}`,
      fix,
    )
  }
  return good(
    `${formatDay(now)}, within the broker's certificate (${formatDay(server.validFrom)} to ${formatDay(server.validTo)})`,
  )
}

export function judgeName({ addresses }: ServerView): Judgement {
  return addresses instanceof Fault ? failed(addresses, "check the name") : good(addresses.join(", "))
}

export function judgeTcp({ tcp }: ServerView, isHere: boolean): Judgement {
  if (tcp === undefined) return unknown(NOT_REACHED)
  if (tcp === "open") return good("something does")
  return failed(tcp, isHere ? "mqttchat broker" : "ask the person who runs the broker")
}

export function judgeTls({ tls, acceptsTls12 }: ServerView): Judgement {
  if (tls === undefined) return unknown(NOT_REACHED)
  if (tls instanceof Fault) return failed(tls, "check the port: 8883 is usual")
  if (acceptsTls12 !== true) return good(`${tls.version} only`)
  return weak(`${tls.version}, and older versions on request`, "have the broker take TLS 1.3 only")
}

/** Its user asked for it, and is reminded. */
export function judgeNoTls({ tcp }: ServerView): Judgement {
  if (tcp !== "open") return unknown(NOT_REACHED)
  const found =
    "none, as you asked: who talks when, how much, and the broker's password are open to the network"
  return weak(found, "have the broker take TLS, then make a profile there: mqttchat --profile OTHER init")
}

export function judgePin({ trusted }: ServerView, kind: "pin" | "name"): Judgement {
  if (trusted === undefined) return unknown(NOT_REACHED)
  if (trusted instanceof Fault) return failed(trusted, "ask the person who runs the broker for the pin")
  return good(kind === "pin" ? "its authority has the pinned key" : "by name and a public authority")
}

export function judgeCertificate(tls: TlsResult | undefined, now: number, isOurs: boolean): Judgement {
  if (tls === undefined) return unknown(NOT_REACHED)
  const days = Math.floor((tls.validTo - now) / DAY_MS)
  const fix = isOurs ? "start mqttchat broker again: it renews it" : "ask the person who runs the broker"
  if (days < 0) return bad("protocol", `expired on ${formatDay(tls.validTo)}`, fix)
  return days < SERVER_DAYS_MIN
    ? weak(`${days} days`, fix)
    : good(`${days} days, until ${formatDay(tls.validTo)}`)
}

export function judgeDevice(device: Validity | undefined, now: number): Judgement {
  if (device === undefined) return good("none: this broker takes us by an account, or takes anyone")
  const days = Math.floor((device.validTo - now) / DAY_MS)
  if (days < 0) return bad("refused", `expired on ${formatDay(device.validTo)}`, "ask for an invitation")
  if (days >= DEVICE_DAYS_MIN) return good(`${days} days, until ${formatDay(device.validTo)}`)
  return weak(
    `${days} days: it should have been renewed`,
    "mqttchat inbox --follow, while the registrar runs",
  )
}

/** What stands in the way of each node that the profile is not looked at through; undefined for none. */
export function judgeNodes(faults: readonly (Fault | undefined)[]): Judgement {
  const [first, ...more] = faults.filter((fault) => fault !== undefined)
  if (first === undefined) return good(`all ${faults.length} are there`)
  const found = `${first.message}${more.length > 0 ? `, and ${more.length} more` : ""}`
  return weak(found, first.hint ?? "ask the person who runs the broker")
}

/** The first that fails of name, TCP, TLS and trust. */
export function faultOf({ addresses, tcp, tls, trusted }: ServerView): Fault | undefined {
  return [addresses, tcp, tls, trusted].find((step) => step instanceof Fault)
}

function failed({ code, message, hint }: Fault, fix: string): Judgement {
  return bad(code, message, hint ?? fix)
}
