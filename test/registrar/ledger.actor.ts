/** Appends to the ledger at PATH until it is refused, and prints how many entries were acknowledged. */
import { openLedger } from "../../src/registrar/ledger.ts"

/** More than fit on the disk that the test gives. */
const ENTRIES_MAX = 1000

const [path = ""] = process.argv.slice(2)
const ledger = await openLedger(path)
let acknowledged = 0
try {
  for (; acknowledged < ENTRIES_MAX; acknowledged++) {
    await ledger.append({ kind: "renamed", at: 1, user: `u${acknowledged}`, name: "somebody" })
  }
} finally {
  process.stdout.write(`${acknowledged}\n`)
}
