import { bad, good, unknown, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import { formatDay } from "./duration-format.ts"

export const LEDGER: Check = {
  name: "ledger",
  what: "whether the broker's ledger still has every entry that this device knows of",
  why: "if its end is cut off or an older copy is put back, a device that was shut out comes in again",
}

/** What this device knows of the ledger after it asked; times are unix ms. */
export type LedgerReport =
  | { readonly kind: "none" }
  | { readonly kind: "silent"; readonly why: string }
  | {
      readonly kind: "asked"
      readonly state: "unknown" | "whole" | LedgerTrouble["kind"]
      readonly entries: number
      readonly confirmedAt: number | null
      readonly trouble: LedgerTrouble | null
    }

type LedgerTrouble = {
  readonly kind: "rolled-back" | "forked"
  readonly since: number
  readonly last: number
  readonly entries: number
}

type Asked = Extract<LedgerReport, { kind: "asked" }>

export function judgeLedger(report: LedgerReport, isHere: boolean): Judgement {
  switch (report.kind) {
    case "none":
      return good("none: this broker knows no devices of users")
    case "silent":
      return unknown(report.why, isHere ? "mqttchat broker" : "ask the person who runs the broker")
    case "asked":
      return report.state === "unknown" ? unknown("it was not told") : judgeAsked(report, fixOf(isHere))
  }
}

function judgeAsked({ state, entries, confirmedAt, trouble }: Asked, fix: string): Judgement {
  if (trouble === null) return good(`all ${entries}`)
  const known = `all ${entries} were there on ${formatDay(confirmedAt ?? 0)}`
  if (state === "whole") {
    const when = `from ${formatDay(trouble.since)} to ${formatDay(trouble.last)}`
    return weak(`all ${entries} are there now, but ${when} ${described(trouble)} answered`, fix)
  }
  return bad("protocol", `${known}; since ${formatDay(trouble.since)} ${described(trouble)} answers`, fix)
}

function described({ kind, entries }: LedgerTrouble): string {
  return kind === "rolled-back"
    ? `a shorter ledger of ${entries} entries`
    : "another ledger, as of a second broker from one export,"
}

function fixOf(isHere: boolean): string {
  const first = isHere
    ? "put back the newest copy of the broker's folder, or end the second broker"
    : "ask the person who runs the broker"
  return `${first}; if it is to count as it is now: mqttchat doctor --accept-ledger`
}
