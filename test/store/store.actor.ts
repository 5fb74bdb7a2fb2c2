/** A process that commits messages for ever and reports each, until a signal or a fault ends it: PATH KEY. */
import { writeSync } from "node:fs"
import { Fault } from "../../src/errors.ts"
import { openStore } from "../../src/store/store.ts"
import { person, sending } from "./store-fixture.ts"

const [path = "", key = ""] = process.argv.slice(2)
const store = await openStore(path, Buffer.from(key, "hex"))
const { contacts, nextOutgoing } = await store.load()
if (contacts.length === 0) await store.commit(person(1, "Bob"))

try {
  for (let number = nextOutgoing; ; number++) {
    await store.commit(sending(number, 1).writes)
    writeSync(1, `${number}\n`)
  }
} catch (cause) {
  writeSync(1, `${cause instanceof Fault ? cause.code : String(cause)}\n`)
}
