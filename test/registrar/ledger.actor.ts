/** Appends to the ledger at PATH until an append is refused, and prints how many entries were acknowledged. */
import { openLedger } from "../../src/registrar/ledger.ts"

/** More entries than fit on the test's disk. */
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
