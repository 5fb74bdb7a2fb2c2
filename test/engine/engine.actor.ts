/** One user as a separate process: FOLDER holds person.json and the store, POINT is where it dies by SIGKILL. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { FAULT_POINTS } from "../../src/engine/state/fault-points.ts"
import { serveOwner } from "../../src/daemon/server.ts"
import { openRealEngine, type Credentials } from "./process-fixture.ts"

const [folder = "", point = ""] = process.argv.slice(2)
if (point !== "" && !FAULT_POINTS.some((known) => known === point)) throw new Error(`no fault point ${point}`)

const credentials = JSON.parse(readFileSync(join(folder, "person.json"), "utf8")) as Credentials
const { client } = await openRealEngine(credentials, folder, (reached) => {
  if (reached === point) process.kill(process.pid, "SIGKILL")
})
await serveOwner(client, join(folder, "owner.sock"))
process.stdout.write("ready\n")
