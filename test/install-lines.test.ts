import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const ROOT = join(import.meta.dirname, "..")
/** All text for users: the program's output and the documents. */
const FOLDERS = ["src", "docs", "scripts", "mosquitto", "rabbitmq", "certs", ".github"]
const TEXT = /\.(?:ts|mjs|md|sh|json|yml|conf|example)$/
/** A command that installs or runs packages by name, up to the end of the quotation or line. */
const INSTALLS =
  /\b(?:npm|pnpm|bun) (?:install|i|add|exec|update)\b([^`"'\n]*)|\b(?:yarn (?:global )?add|npx|bunx)\b([^`"'\n]*)/g
/** The argument that we give to such a command: the tarball that `npm pack` has just made. */
const OURS = /^\.\/mqttchat-\S+\.tgz$/
const WITH_VALUE = /^--(?:prefix|cache|registry)$/

const documents = readdirSync(ROOT).filter((name) => name.endsWith(".md"))
const inFolders = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
)
const FILES = [...documents, ...inFolders].filter((path) => TEXT.test(path))

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8")
}

/** The names of other packages that the commands of a text install. */
function foreignNames(text: string): readonly string[] {
  return [...text.matchAll(INSTALLS)].flatMap((match) => {
    const words = (match[1] ?? match[2] ?? "").split(/\s+/).filter((word) => word !== "")
    const named = words.filter(
      (word, at) => !word.startsWith("-") && !WITH_VALUE.test(words[at - 1] ?? "") && !OURS.test(word),
    )
    return named.length === 0 ? [] : [match[0].trim()]
  })
}

describe("what we tell people to install", () => {
  it.each(["npm install -g mqttchat", "npm i mqttchat", "npx mqttchat init", "yarn global add mqttchat"])(
    "a name from a registry is found: %s",
    (command) => {
      expect(foreignNames(`hint: "${command}"`)).toEqual([command])
    },
  )

  it("is our own tarball, and never a name that is not ours", () => {
    expect(FILES.length).toBeGreaterThan(FOLDERS.length)
    const found = FILES.flatMap((path) => foreignNames(read(path)).map((command) => `${path}: ${command}`))
    expect(found).toEqual([])
  })
})

describe("README", () => {
  const readme = read("README.md")

  it("names no web address, because we have none", () => {
    expect(readme.match(/\bhttps?:\/\/\S+|\bgit clone\b.*|\bgithub\.com\S*/g)).toBeNull()
  })

  it("links to files that exist", () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = ""]) => target)
    expect(links.length).toBeGreaterThan(0)
    expect(links.filter((target) => !existsSync(join(ROOT, target)))).toEqual([])
  })
})
