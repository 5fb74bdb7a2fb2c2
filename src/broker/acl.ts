import { parseTopic, REGISTRATION_REQUESTS, type Topic } from "../wire/topics.ts"

/** Who is at the other end, as the broker knows it. */
export type Principal =
  /** No certificate. What it has named so far is all that it may use. */
  | { readonly kind: "guest"; readonly claims: Claims }
  /** A device certificate: common name = client id = `id`. */
  | { readonly kind: "device"; readonly id: string }
  | { readonly kind: "registrar" }

/** The one nameplate and the one registration id of a guest's connection; the first that it names stays. */
export type Claims = { readonly nameplate?: number; readonly registration?: string }

export const NO_CLAIMS: Claims = {}

/** An inbox filter for all mailboxes of one device. */
const OWN_INBOX = /^mc\/1\/i\/([A-Za-z0-9_-]{22})\/\+$/

/** What a guest holds after naming `topic`, or undefined if that is not for it. */
export function claim(claims: Claims, topic: string): Claims | undefined {
  const parsed = parseTopic(topic)
  if (parsed?.kind === "pairing") {
    if (claims.nameplate !== undefined && claims.nameplate !== parsed.nameplate) return undefined
    return { ...claims, nameplate: parsed.nameplate }
  }
  if (parsed?.kind === "registration-request" || parsed?.kind === "registration-answer") {
    if (claims.registration !== undefined && claims.registration !== parsed.id) return undefined
    return { ...claims, registration: parsed.id }
  }
  return undefined
}

/** A guest must `hold` the topic first. Every topic outside the grammar of `wire/topics` is refused, `$SYS` too. */
export function mayPublish(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic)
  if (parsed === undefined) return false
  switch (principal.kind) {
    case "guest":
      return parsed.kind !== "registration-answer" && isClaimed(principal.claims, parsed)
    case "device":
      return (
        parsed.kind === "inbox" ||
        parsed.kind === "pairing" ||
        (parsed.kind === "registration-request" && parsed.id === principal.id)
      )
    case "registrar":
      return parsed.kind === "registration-answer"
  }
}

/** `filter` is an exact topic, or one of the two wildcards that exist: the own inbox, the registrar's requests. */
export function maySubscribe(principal: Principal, filter: string): boolean {
  switch (principal.kind) {
    case "guest":
    case "device":
      return isOwnInbox(principal, filter) || mayReceive(principal, filter)
    case "registrar":
      return filter === REGISTRATION_REQUESTS
  }
}

/** Whether a message on `topic` may be delivered to `caller`, independent of its subscriptions. */
export function mayReceive(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic)
  if (parsed === undefined) return false
  switch (principal.kind) {
    case "guest":
      return parsed.kind !== "registration-request" && isClaimed(principal.claims, parsed)
    case "device":
      return (
        (parsed.kind === "inbox" && parsed.device === principal.id) ||
        parsed.kind === "pairing" ||
        (parsed.kind === "registration-answer" && parsed.id === principal.id)
      )
    case "registrar":
      return parsed.kind === "registration-request"
  }
}

function isOwnInbox(principal: Principal, filter: string): boolean {
  return principal.kind === "device" && OWN_INBOX.exec(filter)?.[1] === principal.id
}

function isClaimed(claims: Claims, parsed: Topic): boolean {
  switch (parsed.kind) {
    case "inbox":
      return false
    case "pairing":
      return parsed.nameplate === claims.nameplate
    case "registration-request":
    case "registration-answer":
      return parsed.id === claims.registration
  }
}
