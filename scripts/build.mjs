import { createHash } from "node:crypto"
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

/** Modules whose place or form is another in a bundle, by the end of their path. */
const REPLACED = {
  // SQLite's WebAssembly lies next to the bundle, where the package that it is from need not be installed.
  "store/sqlite-wasm.ts": `import { pathToFileURL } from "node:url"
    export const SQLITE_WASM = pathToFileURL(__dirname + "/${basename(wasm)}")`,
  // CommonJS has no await at the top of a file. This takes three turns of the microtask queue, and no command makes a key
  // before it has read a file.
  "crypto/mlkem-instance.ts": `import { createMlKem768 } from "mlkem"
    export let mlkem
    void createMlKem768().then((made) => { mlkem = made })`,
}

const replaced = {
  name: "replaced",
  setup: ({ onLoad }) => {
    for (const [end, contents] of Object.entries(REPLACED))
      onLoad({ filter: new RegExp(`/src/${end}$`) }, ({ path }) => ({ contents, resolveDir: dirname(path) }))
  },
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

/** What the small entries load when they need it, by the name of the file in src/cli. */
const LATE = {
  program: "program",
  "run-action": "run-action",
  "message-commands": "messages/message-commands",
}

/** One script with every command. Each module in it runs when it is first needed. */
const program = await build({
  ...common,
  outdir: undefined,
  outfile: join(dist, "program.cjs"),
  stdin: {
    resolveDir: join(ROOT, "src/cli"),
    contents: Object.entries(LATE)
      .map(([name, file]) => `exports[${JSON.stringify(name)}] = () => require("./${file}.ts")`)
      .join("\n"),
  },
  format: "cjs",
  mainFields: ["module", "main"],
  // Native code is the one thing that no bundle can hold; without it the other backends do the same.
  external: ["sodium-native"],
  plugins: [replaced, versionAlone, ...faultPoints],
  // Of the same authors and the same behaviour, and loaded already; it offers this itself (READABLE_STREAM=disable).
  alias: { "readable-stream": "node:stream" },
  // As a CommonJS module is wrapped: src/compiled-script.ts runs it.
  banner: {
    js: '(function(exports,require,__filename,__dirname){const scriptUrl=require("node:url").pathToFileURL(__filename).href;',
  },
  footer: { js: "})" },
  define: { ...common.define, "process.env.NODE_ENV": '"production"', "import.meta.url": "scriptUrl" },
})
const script = program.outputFiles.find(({ path }) => path.endsWith("program.cjs"))
const source = Buffer.from(asAscii(script.text))
const hash = createHash("sha256").update(source).digest("hex").slice(0, 32)

/** Every other character as an escape, which means the same wherever a program may have one. */
function asAscii(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
}

/** Loads from the script what a small entry imports of src/cli. */
const apart = {
  name: "apart",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /\/cli\/.*\.ts$/ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { namespace: "apart", path: basename(path, ".ts") } : undefined,
    )
    onLoad({ filter: /.*/, namespace: "apart" }, ({ path }) => ({
      resolveDir: join(ROOT, "src"),
      contents: `module.exports = require("program-script").modules()[${JSON.stringify(path)}]()`,
    }))
    onResolve({ filter: /^program-script$/ }, ({ path }) => ({ namespace: "script", path }))
    onLoad({ filter: /.*/, namespace: "script" }, () => ({
      resolveDir: join(ROOT, "src"),
      contents: `import { runScript } from "./compiled-script.ts"
        let exported
        export const modules = () => exported ??= runScript(
          { path: __dirname + "/program.cjs", hash: "${hash}", require }, process.argv.slice(2), process.env)`,
    }))
  },
}

// What a person or the tab key waits for: Node starts one small CommonJS file sooner than anything else.
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
  ...entries.outputFiles.filter(({ path }) => !path.endsWith(".LEGAL.txt")),
  { path: script.path, contents: source },
  { path: join(dist, basename(wasm)), contents: readFileSync(wasm) },
  { path: join(dist, "THIRD-PARTY-LICENSES.txt"), contents: Buffer.from(licences(builds)) },
  ...pages.map(({ file, text }) => ({ path: join(dist, "man", file), contents: Buffer.from(text) })),
]

// A mqttchat that runs now loads the rest of itself late: what stays the same is never away, not even for a moment.
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
