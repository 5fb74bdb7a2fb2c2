import { execFileSync, spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { type CommandNode, commandTree } from "../../src/cli/shell/command-tree.ts"
import { grammar } from "../../src/cli/program.ts"
import { EXIT_CODE } from "../../src/errors.ts"
import { PROGRAM } from "./cli-fixture.ts"

const FOLDER = join(PROGRAM, "../man")
const PAGES = readdirSync(FOLDER)

/** @throws Error if they are not installed and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests. */
function readersAreMissing(): boolean {
  const missing = ["groff", "man"].filter((reader) => spawnSync(reader, ["--version"]).status !== 0)
  if (missing.length > 0 && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error(`${missing.join(" and ")} not installed: apt-get install groff-base man-db`)
  }
  return missing.length > 0
}

function everyCommand(node: CommandNode): readonly CommandNode[] {
  const commands = node.commands.filter(({ words }) => words.at(-1) !== "help")
  return [node, ...commands.flatMap(everyCommand)]
}

const COMMANDS = everyCommand(commandTree(grammar("default", () => undefined)))

/** The text of a page, without its layout. */
function read(page: string): string {
  const env = { ...process.env, MANWIDTH: "80", MAN_KEEP_FORMATTING: "", LC_ALL: "C.UTF-8" }
  const text = execFileSync("man", ["--local-file", join(FOLDER, page)], { env, encoding: "utf8" })
  return plain(text)
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, " ")
}

describe.skipIf(readersAreMissing())("the manual", () => {
  it("has a page for every command, and no other pages", () => {
    expect(PAGES.toSorted()).toEqual(COMMANDS.map(({ words }) => `${words.join("-")}.1`).toSorted())
  })

  it.each(PAGES)("%s is read without a warning", (page) => {
    const path = join(FOLDER, page)
    const set = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z", path], { encoding: "utf8" })
    expect(set).toMatchObject({ status: 0, stderr: "" })
    const displayed = spawnSync("man", ["--warnings", "--local-file", path], { encoding: "utf8" })
    expect(displayed).toMatchObject({ status: 0, stderr: "" })
  })

  it.each(COMMANDS)(
    "says what --help says about $words",
    ({ words, usage, about, flags, commands, notes }) => {
      const text = read(`${words.join("-")}.1`)
      const expected = [`${words.join(" ")} ${usage}`, about, notes, ...commands.map((each) => each.about)]
      const options = flags.flatMap((flag) => [flag.syntax, flag.about, flag.fallback ?? ""])
      const choices = flags.flatMap(({ value }) => (value?.kind === "choice" ? value.of.join(", ") : []))
      for (const words of [...expected, ...options, ...choices]) expect(text).toContain(plain(words))
    },
  )

  it("says on its first page what each exit code means, and where the files are", () => {
    const text = read("mqttchat.1")
    for (const code of new Set(Object.values(EXIT_CODE))) expect(text).toMatch(new RegExp(` ${code} [a-z]`))
    expect(text).toContain("~/.local/share/mqttchat/PROFILE/identity.key")
    expect(text).toContain("MQTTCHAT_PROFILE")
  })
})
