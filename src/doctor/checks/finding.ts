import type { FaultCode } from "../../errors.ts"

/** What is checked, and why it matters to the user of this profile. */
export type Check = {
  /** Stable, for scripts. */
  readonly name: string
  readonly what: string
  readonly why: string
}

/** What was found. `fix` is what to do about it, at this broker or on this laptop. */
export type Judgement =
  | { readonly result: "good"; readonly found: string }
  /** It could not be looked at, or only by touching what belongs to others. */
  | { readonly result: "unknown"; readonly found: string; readonly fix?: string }
  /** It works, but protects less than it should or will break soon. */
  | { readonly result: "weak"; readonly found: string; readonly fix: string }
  /** It does not work; `code` is what the command ends with. */
  | { readonly result: "bad"; readonly found: string; readonly fix: string; readonly code: FaultCode }

export type Finding = Check & Judgement
export type Result = Judgement["result"]

const SEVERITY = { good: 0, unknown: 1, weak: 2, bad: 3 } as const satisfies Record<Result, number>

/** Why much cannot be looked at while another process has the profile, and what helps. */
export const HELD = "another mqttchat has the profile open, and only one process may use it"
export const END_IT = "end it (a daemon: mqttchat daemon stop), then: mqttchat doctor --register"

export function good(found: string): Judgement {
  return { result: "good", found }
}

export function unknown(found: string, fix?: string): Judgement {
  return { result: "unknown", found, ...(fix === undefined ? {} : { fix }) }
}

export function weak(found: string, fix: string): Judgement {
  return { result: "weak", found, fix }
}

export function bad(code: FaultCode, found: string, fix: string): Judgement {
  return { result: "bad", code, found, fix }
}

/** The first of the gravest findings; undefined where there is none. */
export function worst(findings: readonly Finding[]): Finding | undefined {
  return findings.reduce<Finding | undefined>(
    (gravest, finding) =>
      gravest === undefined || SEVERITY[finding.result] > SEVERITY[gravest.result] ? finding : gravest,
    undefined,
  )
}
