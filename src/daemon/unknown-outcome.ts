import { Fault } from "../errors.ts"

/** Requests that change nothing: their outcome is no question. */
const READING: ReadonlySet<string> = new Set([
  "version",
  "status",
  "catch-up",
  "history",
  "search",
  "inbox",
  "events",
  "contacts",
  "verify",
  "outbox",
  "listen",
  "typing",
])

/** Adds what is not known because the peer got the request and has not answered it. */
export function withOutcome(why: Fault, method: string): Fault {
  if (READING.has(method)) return new Fault(why.code, why.message, why.hint ?? "try again", why)
  return method === "send"
    ? notKnownWhetherStored(why)
    : unanswered(why, "it is not known whether this was done")
}

/** A message that is sent again may arrive twice, so its sender looks first. */
export function notKnownWhetherStored(why: Fault): Fault {
  return unanswered(why, "it is not known whether the message was stored; the history shows it if it was")
}

function unanswered(why: Fault, text: string): Fault {
  return new Fault("unanswered", `${why.message}: ${text}`, why.hint, why)
}
