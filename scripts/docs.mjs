import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { GENERATED, methodPages, openRpc } from "./api-docs.ts"
import { ROOT } from "./ready.mjs"

const page = join(ROOT, "docs/api.md")
const [byHand] = readFileSync(page, "utf8").split(GENERATED)
writeFileSync(page, `${byHand}${GENERATED}\n${await methodPages()}`)
writeFileSync(join(ROOT, "docs/openrpc.json"), await openRpc())
