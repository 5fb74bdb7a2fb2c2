import { readFileSync } from "node:fs"
import { codeOf } from "../errors.ts"
import { diskFault } from "./disk-fault.ts"

/** The bytes of a small file, or undefined if there is none. Fault `io`. */
export function readIfExists(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw diskFault(cause, `read ${path}`, path)
  }
}
