/** Saves a long credential in the key file at PATH, and prints the code of the fault, if any. */
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"

const [path = ""] = process.argv.slice(2)
const { ring, save } = await openKeyFile(path, "", systemRandom)
try {
  await save({ ...ring, credential: { kind: "account", deviceId: "id", password: "x".repeat(9000) } })
} catch (cause) {
  process.stdout.write(`${cause instanceof Fault ? cause.code : String(cause)}\n`)
}
