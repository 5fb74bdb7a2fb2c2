import type { Fault } from "../../errors.ts"
import { DAY_MS } from "../../time-units.ts"
import { bad, END_IT, good, HELD, unknown, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import { formatDuration } from "./duration-format.ts"
import { shellCommand } from "../../shell-command.ts"

export const LOCK: Check = {
  name: "lock",
  what: "which process holds the profile",
  why: "only one process may change a conversation's keys; one that hangs keeps all others out",
}
export const OWNER: Check = {
  name: "owner",
  what: "whether the process that holds the profile answers",
  why: "commands hand their work to it through its socket",
}
export const SETTINGS: Check = {
  name: "settings",
  what: "the settings: name and broker",
  why: "without them no command knows where the broker is; the message store holds a copy",
}
export const DATABASE: Check = {
  name: "database",
  what: "every page of the message store",
  why: "a damaged page is better found while a copy of it may still exist",
}
export const OUTBOX: Check = {
  name: "outbox",
  what: "how long the oldest message has waited for its receipt",
  why: "a message is sent again until the other side has it on disk, on thirty different days",
}

/** Who holds the profile while the doctor looks at it. */
export type Holder =
  | { readonly kind: "doctor" }
  | {
      readonly kind: "owner"
      readonly outbox: OutboxSummary
      readonly isOnline: boolean
      /** That of this device, unix ms. */
      readonly certificate?: { readonly validFrom: number; readonly validTo: number } | null
    }
  | { readonly kind: "silent"; readonly pid: number }
  /** The profile's folder does not allow taking the lock in it. */
  | { readonly kind: "barred"; readonly fault: Fault }

export type SettingsState =
  | { readonly kind: "whole" }
  /** `found` completes "it is". */
  | { readonly kind: "lost"; readonly found: string }
  | { readonly kind: "fault"; readonly fault: Fault }

export type DatabaseState =
  | {
      readonly kind: "read"
      readonly isWhole: boolean
      readonly path: string
      readonly outbox: OutboxSummary
      /** Copies of logs that were damaged when the store was opened. */
      readonly damagedLogs: readonly string[]
    }
  | { readonly kind: "fault"; readonly fault: Fault }
  /** Another process has it. */
  | { readonly kind: "held" }

/** What still waits for a receipt; `oldest` is unix ms. */
export type OutboxSummary = { readonly count: number; readonly oldest: number | undefined }

export function judgeLock(holder: Holder): Judgement {
  switch (holder.kind) {
    case "doctor":
      return good("no other process")
    case "owner":
      return good("another mqttchat, for as long as it runs")
    case "silent":
      return bad(
        "unavailable",
        `process ${holder.pid}, which does not answer`,
        shellCommand`kill ${holder.pid}`,
      )
    case "barred":
      return failed(holder.fault)
  }
}

export function judgeOwner(holder: Holder): Judgement {
  switch (holder.kind) {
    case "doctor":
      return good("none runs, so none has to answer")
    case "owner":
      return good("it answers")
    case "silent":
      return bad(
        "unavailable",
        `process ${holder.pid} has the lock and no socket`,
        shellCommand`kill ${holder.pid}`,
      )
    case "barred":
      return unknown("not looked for")
  }
}

export function judgeSettings(settings: SettingsState, holder: Holder): Judgement {
  switch (settings.kind) {
    case "whole":
      return good("whole")
    case "fault":
      return failed(settings.fault)
    case "lost": {
      const again = "mqttchat status, which makes it again from the message store"
      return bad(
        "config",
        settings.found,
        holder.kind === "owner" ? `mqttchat daemon stop, then: ${again}` : again,
      )
    }
  }
}

export function judgeDatabase(database: DatabaseState): Judgement {
  switch (database.kind) {
    case "held":
      return unknown(HELD, END_IT)
    case "fault":
      return failed(database.fault)
    case "read":
      if (database.isWhole) return judgeDamagedLogs(database.damagedLogs)
      return bad(
        "damaged-database",
        "it opens, but its content contradicts itself",
        shellCommand`cp -a ${database.path} ~`,
      )
  }
}

/** They are kept for a person who can repair one; deleted messages stay in them. */
function judgeDamagedLogs(copies: readonly string[]): Judgement {
  const [first] = copies
  if (first === undefined) return good("whole")
  const found =
    copies.length === 1
      ? `a damaged log is kept in ${first}`
      : `${copies.length} damaged logs are kept, one in ${first}`
  return weak(`whole; ${found}, encrypted, also with what you have deleted since`, shellCommand`rm ${first}`)
}

export function judgeOutbox(holder: Holder, database: DatabaseState, now: number): Judgement {
  const outbox = outboxIn(holder, database)
  if (outbox === undefined) return unknown("the message store could not be read")
  const { count, oldest } = outbox
  if (oldest === undefined) return good("empty")
  const found = `${count} wait, the oldest for ${formatDuration(now - oldest)}`
  if (now - oldest < DAY_MS) return good(found)
  return weak(found, "mqttchat inbox --follow, and ask whether the other side is still there")
}

function outboxIn(holder: Holder, database: DatabaseState): OutboxSummary | undefined {
  if (holder.kind === "owner") return holder.outbox
  return database.kind === "read" ? database.outbox : undefined
}

function failed({ code, message, hint = "put back a copy of it" }: Fault): Judgement {
  return bad(code, message, hint)
}
