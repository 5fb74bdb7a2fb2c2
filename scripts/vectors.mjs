import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { VECTOR_FILES } from "../test/vector-files.ts"
import { ROOT } from "./ready.mjs"

for (const [name, make] of Object.entries(VECTOR_FILES)) {
  const text = JSON.stringify(await make(), null, 2)
  writeFileSync(join(ROOT, `test/vectors/${name}.json`), `${text}\n`)
}
