import type { SafeText } from "../../wire/text.ts"
import { openOutput } from "./output.ts"

/** Prints what needs no profile and no flags, and gives the exit code. */
export function printRows(rows: readonly SafeText[]): Promise<number> {
  const out = openOutput({ json: false, quiet: false, colour: "auto", advice: (text) => text })
  for (const row of rows) out.prose(row)
  return out.conclude()
}
