import { build } from "esbuild"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import manifest from "../../package.json" with { type: "json" }

const ROOT = join(import.meta.dirname, "../..")
/** Every GPL, LGPL and AGPL, and other licences that ask the same of linked programs. */
const COPYLEFT = /GPL|General Public License|EUPL|OSL|SSPL|CPAL|CECILL/i
/** Limits for a slow connection and a small disk; sodium-native comes on top. */
const FETCHED_MAX = 2_500_000
const ON_DISK_MAX = 8_000_000
/** File systems allocate space in blocks of this size. */
const BLOCK = 4096
/** Installs without scripts of packages and without optional packages. */
const BARE = ["--ignore-scripts", "--omit=optional", "--offline", "--no-audit", "--no-fund"]

const run = promisify(execFile)

type Packed = {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}
type Locked = {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly license?: string
}

const folder = mkdtempSync(join(tmpdir(), "mqttchat-package-"))
let packed: Packed

beforeAll(async () => {
  // The global setup has already built it.
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: ROOT,
  })
  packed = (JSON.parse(stdout) as [Packed])[0]
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Path and lock file entry of each package that npm installs with mqttchat. */
function installed(): readonly (readonly [location: string, locked: Locked])[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>
  }
  return Object.entries(packages).filter(([location, { dev }]) => location !== "" && dev !== true)
}

/** Disk usage of a folder. */
function onDisk(location: string): number {
  const sizes = readdirSync(location, { recursive: true, encoding: "utf8" }).map((name) => {
    const blocks = Math.ceil(statSync(join(location, name)).size / BLOCK)
    return blocks * BLOCK
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The packages with code in the program, as `name version`; found apart from the code that writes their licences. */
async function bundledPackages(): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, "src/main.ts")],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    outdir: folder,
    splitting: true,
    platform: "node",
    format: "esm",
    mainFields: ["module", "main"],
    minifySyntax: true,
    logLevel: "error",
    external: ["sodium-native"],
    alias: { "readable-stream": "node:stream" },
  })
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs: used }) => Object.entries(used))
  const locations = inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 ? (/^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []) : [],
  )
  return [...new Set(locations)].map((location) => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, location, "package.json"), "utf8")) as {
      name: string
      version: string
    }
    return `${name} ${version}`
  })
}

describe("the package", () => {
  test("has the files that package.json names and no others", () => {
    const paths = packed.files.map(({ path }) => path)
    const named = [...manifest.files, "package.json"]
    const isIn = (name: string) => (path: string) => path === name || path.startsWith(`${name}/`)
    expect(paths.filter((path) => !named.some((name) => isIn(name)(path)))).toEqual([])
    expect(named.filter((name) => !paths.some(isIn(name)))).toEqual([])
  })

  test("is small enough to fetch", () => {
    expect(packed.size).toBeLessThanOrEqual(FETCHED_MAX)
  })

  test("installs without scripts and without a registry, and needs nothing else to make an identity", async () => {
    const prefix = join(folder, "prefix")
    const cache = join(folder, "empty-cache")
    const install = ["install", "--global", "--prefix", prefix, "--cache", cache, ...BARE]
    await run("npm", [...install, join(folder, packed.filename)], { cwd: folder })
    const home = join(prefix, "lib/node_modules")
    expect(readdirSync(home)).toEqual(["mqttchat"])
    expect(readdirSync(join(home, "mqttchat"))).not.toContain("node_modules")
    expect(onDisk(home)).toBeLessThanOrEqual(ON_DISK_MAX)
    const manual = readdirSync(join(ROOT, "dist/man")).toSorted()
    expect(manifest.man, "npm links only the pages that package.json names").toEqual(
      manual.map((page) => `dist/man/${page}`),
    )
    expect(readdirSync(join(prefix, "share/man/man1")).toSorted()).toEqual(manual)
    const env = { ...process.env, MQTTCHAT_HOME: join(folder, "home") }
    const mqttchat = async (...args: readonly string[]): Promise<string> =>
      (await run(join(prefix, "bin/mqttchat"), args, { env })).stdout
    expect(await mqttchat("--version")).toBe(`${manifest.version}\n`)
    expect(await mqttchat("init", "--name", "alice", "--no-passphrase", "--broker", "later")).toMatch(
      /^alice /,
    )
    expect(await mqttchat("contacts", "--json")).toBe("")
    expect((await run(join(prefix, "bin/mqttchat-contacts"), [], { env })).stdout).toBe("")
  })

  test("installs into a project's folder without the optional packages", async () => {
    const project = join(folder, "project")
    mkdirSync(project)
    await run("npm", ["install", ...BARE, join(folder, packed.filename)], { cwd: project })
    const there = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."))
    expect(there).toEqual(["mqttchat"])
    const { stdout } = await run(join(project, "node_modules/.bin/mqttchat"), ["--version"])
    expect(stdout).toBe(`${manifest.version}\n`)
  })
})

describe("the dependencies of the package", () => {
  test("are optional, and run no install script", () => {
    expect(installed().map(([location]) => location)).toContain("node_modules/sodium-native")
    expect(installed().filter(([, { optional }]) => optional !== true)).toEqual([])
    expect(installed().filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([])
  })

  test("have no licence of the GPL family", () => {
    for (const [location, { license }] of installed()) {
      expect(license, location).toMatch(/./)
      expect(license, location).not.toMatch(COPYLEFT)
    }
  })

  test("have their licences in one file if they are bundled, none of the GPL family", async () => {
    const text = readFileSync(join(ROOT, "dist/THIRD-PARTY-LICENSES.txt"), "utf8")
    const titles = [...text.matchAll(/^=+\n(\S+ \d\S*) \((.+)\)\n=+$/gm)]
    const listed = new Set(titles.map(([, title]) => title))
    const bundled = await bundledPackages()
    expect(bundled.length).toBeGreaterThan(0)
    expect(bundled.filter((each) => !listed.has(each))).toEqual([])
    for (const [, title, licence] of titles) expect(licence, title).not.toMatch(COPYLEFT)
    expect(text).not.toMatch(/GENERAL PUBLIC LICENSE/i)
  })
})
