import { ACCESS_RULES, wildcardFilter, type AccessAction, type AccessScope } from "../wire/access-rules.ts"
import { parseTopic, topicOwner, type Topic } from "../wire/topics.ts"

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

/** A guest must `claim` the topic first. Every topic outside the grammar of `wire/topics` is refused, `$SYS` too. */
export function mayPublish(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic)
  return parsed !== undefined && isWithin(principal, scopeOf(principal, "publish", parsed), parsed)
}

/** `filter` is an exact topic or the principal's one wildcard. */
export function maySubscribe(principal: Principal, filter: string): boolean {
  if (filter === wildcardFilter(principal.kind, idOf(principal))) return true
  const parsed = parseTopic(filter)
  if (parsed === undefined) return false
  const scope = scopeOf(principal, "subscribe", parsed)
  return scope !== "all" && isWithin(principal, scope, parsed)
}

/** Whether a message on `topic` may be delivered to the principal, independent of its subscriptions. */
export function mayReceive(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic)
  return parsed !== undefined && isWithin(principal, scopeOf(principal, "subscribe", parsed), parsed)
}

function scopeOf(principal: Principal, action: AccessAction, topic: Topic): AccessScope | undefined {
  return ACCESS_RULES[principal.kind][action][topic.kind]
}

function isWithin(principal: Principal, scope: AccessScope | undefined, topic: Topic): boolean {
  switch (scope) {
    case undefined:
      return false
    case "any":
    case "all":
      return true
    case "own":
      return topicOwner(topic) === idOf(principal)
    case "claimed":
      return principal.kind === "guest" && isClaimed(principal.claims, topic)
  }
}

function idOf(principal: Principal): string | undefined {
  return principal.kind === "device" ? principal.id : undefined
}

function isClaimed(claims: Claims, parsed: Topic): boolean {
  switch (parsed.kind) {
    case "inbox":
    case "group":
      return false
    case "pairing":
      return parsed.nameplate === claims.nameplate
    case "registration-request":
    case "registration-answer":
      return parsed.id === claims.registration
  }
}
