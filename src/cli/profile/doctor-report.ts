import { type Finding, worst } from "../../doctor/checks/finding.ts"
import { Fault } from "../../errors.ts"
import { display, joined, safe, type SafeText } from "../../wire/text.ts"
import type { Output } from "../terminal/output.ts"

const WORD = { good: "good", unknown: "cannot tell", weak: "weak", bad: "bad" } as const
const COLOUR = { good: "green", unknown: "dim", weak: "yellow", bad: "red" } as const
const WORD_CELLS = 12
const MARGIN = " ".repeat(WORD_CELLS) as SafeText

/** Prints what was found as it comes. What could not be looked at comes at the end, once for each reason. */
export class DoctorReport {
  readonly #out: Output
  readonly #findings: Finding[] = []
  #lastFix: string | undefined

  constructor(out: Output) {
    this.#out = out
  }

  add(finding: Finding): void {
    this.#findings.push(finding)
    if (this.#out.json) {
      const { name, what, why, result, found } = finding
      const fix = fixOf(finding) ?? null
      this.#out.record("mqttchat/finding/1", { check: name, what, result, found, why, fix })
    } else if (finding.result !== "unknown") this.#print(finding)
  }

  /** Faults with the code of the worst finding. */
  conclude(): void {
    const unknown = this.#findings.filter(({ result }) => result === "unknown")
    if (!this.#out.json) this.#printUnknown(unknown)
    const wrong = this.#findings.filter(({ result }) => result === "weak" || result === "bad")
    const worstFinding = worst(this.#findings)
    if (worstFinding !== undefined && wrong.length > 0) {
      const names = wrong.map(({ name }) => name).join(", ")
      const code = worstFinding.result === "bad" ? worstFinding.code : "weak"
      throw new Fault(code, `${wrong.length} of ${this.#findings.length} checks found something: ${names}`)
    }
    const known = this.#findings.length - unknown.length
    if (unknown.length === 0) this.#out.done(safe`nothing wrong in ${known} checks`)
    else
      this.#out.warn(safe`${known} checks are good, and ${unknown.length} cannot tell: the reasons are above`)
  }

  #print(finding: Finding): void {
    const { what, why, result, found } = finding
    const word = this.#out.styled(COLOUR[result], display(WORD[result].padEnd(WORD_CELLS)))
    this.#out.prose(safe`${word}${display(what)}: ${display(found)}`, MARGIN)
    this.#out.prose(this.#out.styled("dim", safe`${MARGIN}(${display(why)})`), MARGIN)
    this.#printFix(fixOf(finding))
  }

  #printUnknown(unknown: readonly Finding[]): void {
    for (const reason of new Set(unknown.map(({ found }) => found))) {
      const same = unknown.filter(({ found }) => found === reason)
      const [first] = same
      if (first !== undefined && same.length === 1) this.#print(first)
      else this.#printGroup(reason, same)
    }
  }

  #printGroup(reason: string, findings: readonly Finding[]): void {
    const word = this.#out.styled(COLOUR.unknown, display(WORD.unknown.padEnd(WORD_CELLS)))
    this.#out.prose(safe`${word}${findings.length} things: ${display(reason)}`, MARGIN)
    const names = joined(
      findings.map(({ name }) => display(name)),
      ", ",
    )
    this.#out.prose(this.#out.styled("dim", safe`${MARGIN}(${names})`), MARGIN)
    this.#printFix(findings.map(fixOf).find((fix) => fix !== undefined))
  }

  /** Once for several findings in a row that need it. */
  #printFix(fix: string | undefined): void {
    const isNew = fix !== this.#lastFix
    this.#lastFix = fix
    if (fix !== undefined && isNew) this.#out.data(safe`${MARGIN}→ ${this.#out.advised(display(fix))}`)
  }
}

function fixOf(finding: Finding): string | undefined {
  return "fix" in finding ? finding.fix : undefined
}
