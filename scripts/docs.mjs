import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { GENERATED, methodPages, openRpc } from "./api-docs.ts"
import { GENERATED_FILES } from "./generated.ts"
import { ROOT } from "./ready.mjs"
import { DRAWN, drawings } from "./state-drawings.ts"

const page = join(ROOT, "docs/api.md")
const [byHand] = readFileSync(page, "utf8").split(GENERATED)
writeFileSync(page, `${byHand}${GENERATED}\n${await methodPages()}`)
writeFileSync(join(ROOT, "docs/openrpc.json"), await openRpc())

const map = join(ROOT, "ARCHITECTURE.md")
const [begin, end] = DRAWN
const [before, rest] = readFileSync(map, "utf8").split(begin)
writeFileSync(map, `${before}${begin}\n${drawings()}\n${end}${rest.split(end)[1]}`)

for (const [path, text] of GENERATED_FILES) writeFileSync(join(ROOT, path), text)
