import { parseArgs } from "node:util"
import { systemRandom } from "../../src/crypto/random.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { openStore } from "../../src/store/store.ts"
import { fillStore } from "./large-profile.ts"

/** The folder is that of a profile without a passphrase, which has a contact and is not open. */
const { values } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    contacts: { type: "string", default: "5000" },
    messages: { type: "string", default: "1000000" },
  },
})

const { ring } = await openKeyFile(`${values.folder}/identity.key`, "", systemRandom)
const store = await openStore(`${values.folder}/messages.db`, ring.databaseKey)
await fillStore(store, Number(values.contacts), Number(values.messages))
await store.close()
