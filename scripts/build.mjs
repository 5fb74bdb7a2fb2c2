import { rmSync } from "node:fs"
import { join } from "node:path"
import { ROOT, install } from "./ready.mjs"

install()
const { build } = await import("esbuild")

const dist = join(ROOT, "dist")
rmSync(dist, { recursive: true, force: true })

// One small entry; everything heavy is a chunk that only the command that needs it loads.
await build({
  entryPoints: { mqttchat: join(ROOT, "src/main.ts") },
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  // A dynamic import of a CommonJS file gives no names in a split bundle: ES modules first.
  mainFields: ["module", "main"],
  target: "node20.19",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  // Native code and WebAssembly stay in their packages.
  external: ["sodium-native", "*.wasm"],
  // CommonJS packages inside an ES module still call require() for Node's own modules.
  banner: {
    js: 'import{createRequire as mqttchatRequire}from"node:module";const require=mqttchatRequire(import.meta.url);',
  },
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
})
