import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, test, vi } from "vitest"
import manifest from "../../package.json" with { type: "json" }

// Many real processes share two cores with other tests: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000 })

const ROOT = join(import.meta.dirname, "../..")
/** Every GPL, LGPL and AGPL, and others that ask the same of who links to them. */
const COPYLEFT = /GPL|General Public License|EUPL|OSL|SSPL|CPAL|CECILL/i

const run = promisify(execFile)

type Packed = { readonly filename: string; readonly files: readonly { readonly path: string }[] }
type Locked = { readonly dev?: boolean; readonly optional?: boolean; readonly hasInstallScript?: boolean }
type Licensed = { readonly license?: unknown; readonly licenses?: unknown }

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"))
}

/** Where each package lies that an installed mqttchat has, with what the lock file says of it. */
function production(): readonly (readonly [place: string, locked: Locked])[] {
  const { packages } = readJson(join(ROOT, "package-lock.json")) as { packages: Record<string, Locked> }
  return Object.entries(packages).filter(([place, { dev }]) => place !== "" && dev !== true)
}

/** What its manifest says, or the file beside it. */
function licenceOf(folder: string): string {
  const { license, licenses } = readJson(join(folder, "package.json")) as Licensed
  const declared = license ?? licenses
  return declared === undefined ? readFileSync(join(folder, "LICENSE"), "utf8") : JSON.stringify(declared)
}

test("npm pack gives a package of the files it names, which installs, starts and makes an identity", async ({
  onTestFinished,
}) => {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-package-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: ROOT })
  const [packed] = JSON.parse(stdout) as readonly Packed[]
  const paths = packed?.files.map(({ path }) => path) ?? []
  const named = [...manifest.files, "package.json"]
  const isIn = (name: string) => (path: string) => path === name || path.startsWith(`${name}/`)
  expect(paths.filter((path) => !named.some((name) => isIn(name)(path)))).toEqual([])
  expect(named.filter((name) => !paths.some(isIn(name)))).toEqual([])

  const prefix = join(folder, "prefix")
  const install = ["install", "--global", "--prefix", prefix, "--prefer-offline", "--no-audit", "--no-fund"]
  await run("npm", [...install, join(folder, packed?.filename ?? "")], { cwd: folder })
  const manual = readdirSync(join(ROOT, "dist/man")).toSorted()
  expect(manifest.man, "npm links only the pages that package.json names").toEqual(
    manual.map((page) => `dist/man/${page}`),
  )
  expect(readdirSync(join(prefix, "share/man/man1")).toSorted()).toEqual(manual)
  const env = { ...process.env, MQTTCHAT_HOME: join(folder, "home") }
  const mqttchat = async (...args: readonly string[]): Promise<string> =>
    (await run(join(prefix, "bin/mqttchat"), args, { env })).stdout
  expect(await mqttchat("--version")).toBe(`${manifest.version}\n`)
  expect(await mqttchat("init", "--name", "alice", "--no-passphrase", "--broker", "later")).toMatch(/^alice /)
  expect(await mqttchat("contacts", "--json")).toBe("")
  expect((await run(join(prefix, "bin/mqttchat-contacts"), [], { env })).stdout).toBe("")
})

test("no package that comes with it runs a script when it is installed", () => {
  const found = production()
  expect(found.length).toBeGreaterThan(Object.keys(manifest.dependencies).length)
  expect(found.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([])
})

test("no package that comes with it is under a licence of the GPL family", () => {
  for (const [place, { optional }] of production()) {
    const path = join(ROOT, place, "package.json")
    if (optional === true && !existsSync(path)) continue
    expect(licenceOf(join(ROOT, place)), place).not.toMatch(COPYLEFT)
  }
})
