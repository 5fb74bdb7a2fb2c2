import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { build } from "esbuild"
import { ACTORS_FOLDER, CRASH_PROGRAM } from "./actors.ts"

const ACTOR = /\.actor\.ts$/

/** Child-process tests run the program as it is shipped, and actors from bundles: built once, before the first test. */
export default async function setup(): Promise<void> {
  const script = join(import.meta.dirname, "../scripts/build.mjs")
  execFileSync(process.execPath, [script], { stdio: "inherit" })
  execFileSync(process.execPath, [script, "--crash-tests", dirname(CRASH_PROGRAM)], { stdio: "inherit" })
  await buildActors()
}

export async function buildActors(): Promise<void> {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" }).filter((file) =>
    ACTOR.test(file),
  )
  const { outputFiles } = await build({
    entryPoints: sources.map((file) => ({
      in: join(import.meta.dirname, file),
      out: basename(file).replace(ACTOR, ""),
    })),
    outdir: ACTORS_FOLDER,
    outExtension: { ".js": ".mjs" },
    write: false,
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    external: ["sodium-native", "*.wasm"],
    // CommonJS packages inside an ES module still call require() for Node's own modules.
    banner: {
      js: 'import{createRequire as actorRequire}from"node:module";const require=actorRequire(import.meta.url);',
    },
    logLevel: "warning",
  })
  mkdirSync(ACTORS_FOLDER, { recursive: true })
  for (const { path, contents } of outputFiles) {
    // Another run of tests in this tree may be starting the same actor.
    const fresh = `${path}.${process.pid}`
    writeFileSync(fresh, contents)
    renameSync(fresh, path)
  }
}
