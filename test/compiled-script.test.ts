import { execFileSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "esbuild"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "mqttchat-compiled-"))
const runner = join(folder, "runner.cjs")
const script = join(folder, "program.cjs")
let home: string
let homes = 0

beforeAll(async () => {
  // Prints what the script exports, and whether V8 took the code that was kept.
  const contents = `import { Script } from "node:vm"
    import { runScript } from "./compiled-script.ts"
    const run = Script.prototype.runInThisContext
    Script.prototype.runInThisContext = function () {
      console.log(this.cachedDataRejected === undefined ? "compiled" : this.cachedDataRejected ? "refused" : "kept")
      return run.call(this)
    }
    const [hash, ...argv] = process.argv.slice(2)
    console.log(runScript({ path: ${JSON.stringify(script)}, hash, require }, argv, process.env).answer())
    process.exitCode = argv.includes("--fail") ? 1 : 0`
  const resolveDir = join(import.meta.dirname, "../src")
  await build({
    stdin: { contents, resolveDir },
    outfile: runner,
    bundle: true,
    platform: "node",
    format: "cjs",
  })
})
afterAll(() => rmSync(folder, { recursive: true }))

beforeEach(() => {
  home = join(folder, `home-${homes++}`)
  mkdirSync(home)
  answers(42)
})

function answers(number: number): void {
  writeFileSync(script, `(function(exports,require,__filename,__dirname){exports.answer=()=>${number}})`)
}

/** Whether the code was compiled or read, and what the script answered. */
function run(hash: string, ...argv: string[]): string[] {
  const env = { PATH: process.env["PATH"], MQTTCHAT_HOME: home }
  return execFileSync(process.execPath, [runner, hash, ...argv], { env, encoding: "utf8" })
    .trim()
    .split("\n")
}

function withWrongBit(file: Buffer): Buffer {
  const middle = file.length >> 1
  file.writeUInt8(file.readUInt8(middle) ^ 1, middle)
  return file
}

const kept = (): string[] => readdirSync(join(home, ".cache"))
const keptFile = (): string => join(home, ".cache", kept()[0] ?? "")

test("the second short command reads what the first has compiled, and only its user may write that", () => {
  expect(run("aa", "send", "bob")).toEqual(["compiled", "42"])
  expect(run("aa", "--json", "send", "bob")).toEqual(["kept", "42"])
  expect(kept()).toHaveLength(1)
  expect(statSync(keptFile()).mode & 0o777).toBe(0o600)
  expect(statSync(join(home, ".cache")).mode & 0o777).toBe(0o700)
})

test("another program of the same length is compiled, and takes the place of the old one", () => {
  run("aa", "send")
  answers(43)
  expect(run("bb", "send")).toEqual(["compiled", "43"])
  expect(run("bb", "send")).toEqual(["kept", "43"])
  expect(kept()).toHaveLength(1)
})

test("a command that stays keeps nothing, and one that failed neither", () => {
  run("aa", "daemon")
  expect(readdirSync(home)).toEqual([])
  expect(() => run("aa", "send", "--fail")).toThrow()
  expect(kept()).toEqual([])
})

test("what is kept has nothing of what the command was given", () => {
  const answer = 'process.argv.slice(3).join(" ").replaceAll("e", "3")'
  writeFileSync(script, `(function(exports,require){exports.answer=()=>${answer}})`)
  expect(run("aa", "send", "bob", "beyond the fence")).toEqual(["compiled", "s3nd bob b3yond th3 f3nc3"])
  for (const encoding of ["latin1", "utf16le"] as const) {
    const code = readFileSync(keptFile(), encoding)
    for (const word of ["beyond", "b3yond"]) expect(code).not.toContain(word)
  }
})

test.each([
  [
    "has one wrong bit in its middle",
    (path: string) => writeFileSync(path, withWrongBit(readFileSync(path))),
  ],
  ["ends early", (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 100))],
  ["is empty", (path: string) => writeFileSync(path, "")],
])("what was kept and %s is compiled again", (_, damage) => {
  run("aa", "send")
  damage(keptFile())
  expect(run("aa", "send")).toEqual(["compiled", "42"])
  expect(run("aa", "send")).toEqual(["kept", "42"])
})

test.each([
  ["that others may write to", (path: string) => chmodSync(path, 0o777)],
  [
    "that is a link",
    (path: string) => {
      const elsewhere = join(home, "elsewhere")
      mkdirSync(elsewhere, { mode: 0o700 })
      for (const name of readdirSync(path))
        writeFileSync(join(elsewhere, name), readFileSync(join(path, name)))
      rmSync(path, { recursive: true })
      symlinkSync(elsewhere, path)
    },
  ],
])("nothing is run from a folder %s", (_, open) => {
  run("aa", "send")
  open(join(home, ".cache"))
  expect(run("aa", "send")).toEqual(["compiled", "42"])
})

test("where no folder can be made, the program runs without", () => {
  writeFileSync(join(home, ".cache"), "")
  expect(run("aa", "send")).toEqual(["compiled", "42"])
})
