import { parseTopic, REGISTRATION_REQUESTS, type Topic } from "../wire/topics.ts"

/** Who is at the other end, as the broker knows it. */
export type Caller =
  /** No certificate. What it has named so far is all that it may use. */
  | { readonly kind: "guest"; readonly holds: Holding }
  /** A device certificate: common name = client id = `id`. */
  | { readonly kind: "device"; readonly id: string }
  | { readonly kind: "registrar" }

/** The one nameplate and the one registration id of a guest's connection; the first that it names stays. */
export type Holding = { readonly nameplate?: number; readonly registration?: string }

export const NOTHING: Holding = {}

/** An inbox filter for all mailboxes of one device. */
const OWN_INBOX = /^mc\/1\/i\/([A-Za-z0-9_-]{22})\/\+$/

/** What a guest holds after naming `topic`, or undefined if that is not for it. */
export function hold(holds: Holding, topic: string): Holding | undefined {
  const named = parseTopic(topic)
  if (named?.kind === "pairing") {
    if (holds.nameplate !== undefined && holds.nameplate !== named.nameplate) return undefined
    return { ...holds, nameplate: named.nameplate }
  }
  if (named?.kind === "registration-request" || named?.kind === "registration-answer") {
    if (holds.registration !== undefined && holds.registration !== named.id) return undefined
    return { ...holds, registration: named.id }
  }
  return undefined
}

/** A guest must `hold` the topic first. Every topic outside the grammar of `wire/topics` is refused, `$SYS` too. */
export function mayPublish(caller: Caller, topic: string): boolean {
  const named = parseTopic(topic)
  if (named === undefined) return false
  switch (caller.kind) {
    case "guest":
      return named.kind !== "registration-answer" && isHeld(caller.holds, named)
    case "device":
      return (
        named.kind === "inbox" ||
        named.kind === "pairing" ||
        (named.kind === "registration-request" && named.id === caller.id)
      )
    case "registrar":
      return named.kind === "registration-answer"
  }
}

/** `filter` is an exact topic, or one of the two wildcards that exist: the own inbox, the registrar's requests. */
export function maySubscribe(caller: Caller, filter: string): boolean {
  switch (caller.kind) {
    case "guest":
    case "device":
      return isOwnInbox(caller, filter) || mayReceive(caller, filter)
    case "registrar":
      return filter === REGISTRATION_REQUESTS
  }
}

/** Whether a message on `topic` may be handed to `caller`, whatever it is subscribed to. */
export function mayReceive(caller: Caller, topic: string): boolean {
  const named = parseTopic(topic)
  if (named === undefined) return false
  switch (caller.kind) {
    case "guest":
      return named.kind !== "registration-request" && isHeld(caller.holds, named)
    case "device":
      return (
        (named.kind === "inbox" && named.device === caller.id) ||
        named.kind === "pairing" ||
        (named.kind === "registration-answer" && named.id === caller.id)
      )
    case "registrar":
      return named.kind === "registration-request"
  }
}

function isOwnInbox(caller: Caller, filter: string): boolean {
  return caller.kind === "device" && OWN_INBOX.exec(filter)?.[1] === caller.id
}

function isHeld(holds: Holding, named: Topic): boolean {
  switch (named.kind) {
    case "inbox":
      return false
    case "pairing":
      return named.nameplate === holds.nameplate
    case "registration-request":
    case "registration-answer":
      return named.id === holds.registration
  }
}
