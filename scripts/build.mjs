import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { licences } from "./licences.mjs"
import { ROOT, install } from "./ready.mjs"

install()
const { build } = await import("esbuild")

/** `--crash-tests FOLDER` builds the program with its fault points and quick locks, for tests alone; what ships has neither. */
const [option, folder] = process.argv.slice(2)
const forCrashTests = option === "--crash-tests"
const dist = forCrashTests ? resolve(folder) : join(ROOT, "dist")
/** The lowest cost that a file may have (crypto/argon2.ts): the shipped program opens it like any other. */
const QUICK_LOCK = { memoryKiB: 8_192, iterations: 1, parallelism: 1 }
const wasm = join(ROOT, "node_modules/@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm")

/** SQLite's WebAssembly lies beside the chunks, where the package it is from need not be installed. */
const wasmNearby = {
  name: "wasm nearby",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/sqlite-wasm\.ts$/ }, () => ({
      contents: `export const SQLITE_WASM = new URL("./${basename(wasm)}", import.meta.url)`,
    })),
}

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"))

/** All of package.json would be in every entry otherwise. */
const versionAlone = {
  name: "version alone",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)}`,
    })),
}

/** A call of a fault point, wherever it stands; its argument has at most one level of brackets. */
const FAULT_POINT = /(?:\b[\w#.]+\.)?\b(?:reach|failpoint)\((?:[^()]|\([^()]*\))*\)/g

const withoutFaultPoints = {
  name: "without fault points",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(FAULT_POINT, "undefined"),
      loader: "ts",
      resolveDir: dirname(path),
    })),
}
const faultPoints = forCrashTests ? [] : [withoutFaultPoints]

const common = {
  outdir: dist,
  write: false,
  bundle: true,
  platform: "node",
  target: "node20.19",
  minifySyntax: true,
  minifyWhitespace: true,
  // Comments with licences go into one file with the licences themselves.
  legalComments: "external",
  metafile: true,
  logLevel: "warning",
  // Only tests may lock at another cost (crypto/argon2.ts), or kill a process at a point (profile/failpoint.ts).
  define: {
    TEST_ARGON2_COST: forCrashTests ? JSON.stringify(QUICK_LOCK) : "undefined",
    TEST_FAILPOINTS: forCrashTests ? "true" : "undefined",
  },
}

// Everything heavy is a chunk that only the command that needs it loads.
const program = await build({
  ...common,
  entryPoints: ["program", "run-action", "messages/message-commands"].map((name) =>
    join(ROOT, "src/cli", `${name}.ts`),
  ),
  entryNames: "[name]",
  splitting: true,
  format: "esm",
  // A dynamic import of a CommonJS file gives no names in a split bundle: ES modules first.
  mainFields: ["module", "main"],
  // Native code is the one thing that no bundle can hold; without it the other backends do the same.
  external: ["sodium-native"],
  plugins: [wasmNearby, versionAlone, ...faultPoints],
  // Of the same authors and the same behaviour, and loaded already; it offers this itself (READABLE_STREAM=disable).
  alias: { "readable-stream": "node:stream" },
  // CommonJS packages inside an ES module still call require() for Node's own modules.
  banner: {
    js: 'import{createRequire as mqttchatRequire}from"node:module";const require=mqttchatRequire(import.meta.url);',
  },
  define: { ...common.define, "process.env.NODE_ENV": '"production"' },
})

/** Leaves the chunks above to their own files. */
const apart = {
  name: "apart",
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/cli\/.*\.ts$/ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { external: true, path: `./${basename(path, ".ts")}.js` } : undefined,
    ),
}

// What a person or the tab key waits for: Node starts one CommonJS file sooner than the smallest ES module.
const entries = await build({
  ...common,
  entryPoints: { mqttchat: join(ROOT, "src/main.ts"), "contact-names": join(ROOT, "src/contact-names.ts") },
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  plugins: [apart, versionAlone, ...faultPoints],
})

// Below node_modules, where what is written finds its packages.
const fresh = mkdtempSync(join(ROOT, "node_modules", ".mqttchat-build-"))

// The manual comes from the same grammar as --help.
const writer = join(fresh, "manual.mjs")
await build({
  ...common,
  outdir: undefined,
  outfile: writer,
  write: true,
  stdin: {
    resolveDir: join(ROOT, "src/cli"),
    contents: ["program", "shell/command-tree", "shell/manual"]
      .map((name) => `export * from "./${name}.ts"`)
      .join("\n"),
  },
  format: "esm",
  packages: "external",
})
const { grammar, commandTree, manual } = await import(pathToFileURL(writer))
const pages = manual(commandTree(grammar("default", () => undefined)), version)

const builds = [program, entries]
const outputFiles = [
  ...builds.flatMap((each) => each.outputFiles).filter(({ path }) => !path.endsWith(".LEGAL.txt")),
  { path: join(dist, basename(wasm)), contents: readFileSync(wasm) },
  { path: join(dist, "THIRD-PARTY-LICENSES.txt"), contents: Buffer.from(licences(builds)) },
  ...pages.map(({ file, text }) => ({ path: join(dist, "man", file), contents: Buffer.from(text) })),
]

// A mqttchat that runs now loads its chunks late: what stays the same is never away, not even for a moment.
mkdirSync(join(dist, "man"), { recursive: true })
for (const { path, contents } of outputFiles) {
  if (holds(path, contents)) continue
  const written = join(fresh, basename(path))
  writeFileSync(written, contents)
  renameSync(written, path)
}
rmSync(fresh, { recursive: true })
const built = new Set([join(dist, "man"), ...outputFiles.map(({ path }) => path)])
for (const name of readdirSync(dist, { recursive: true })) {
  if (!built.has(join(dist, name))) rmSync(join(dist, name), { recursive: true, force: true })
}

function holds(path, contents) {
  try {
    return readFileSync(path).equals(contents)
  } catch {
    return false
  }
}
