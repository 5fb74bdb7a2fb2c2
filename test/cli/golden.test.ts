import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { CliFixture, paired } from "./cli-fixture.ts"

/**
 * Transcripts as a user at a terminal would keep them: `$ mqttchat ...`, then what came on stdout, what came on stderr
 * behind `2| `, and the exit code in brackets if it is not 0. `@paired` begins with Alice and Bob knowing each other.
 * `<<TEXT` after a command is its stdin; \xNN is a byte.
 */
const TRANSCRIPTS = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".txt"))

/** What differs from run to run. */
function normalized(text: string, cli: CliFixture): string {
  return text
    .replaceAll(cli.folder, "~")
    .replaceAll(/\b[0-9a-f]{4}(?: [0-9a-f]{4}){4}\b/g, "xxxx xxxx xxxx xxxx xxxx")
    .replaceAll(/^(\d{4}-\d\d-\d\d )?\d\d:\d\d /gm, "hh:mm ")
    .replaceAll(/\b20\d\d-\d\d-\d\d\b/g, "YYYY-MM-DD")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
    .replaceAll(/\b[0-9a-f]{16,32}\b/g, "HEX")
    .replaceAll(/--before [0-9a-f]{8}\b/g, "--before HEX")
    .replaceAll(/\b\d{5}(?: \d{5}){3}/g, "00000 00000 00000 00000")
    .replaceAll(/(words to compare +).+/g, "$1one two three four")
    .replaceAll(/"(sentAt|storedAt|addedAt)":\d+/g, '"$1":MS')
}

/** Words of a command line; quotes keep blanks together. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare = ""]) =>
    bytes(quoted ?? bare).toString(),
  )
}

/** Escapes as a shell's printf reads them. */
function bytes(text: string): Buffer {
  const parts = text.split(/\\x([0-9a-f]{2})/)
  return Buffer.concat(parts.map((part, at) => Buffer.from(part, at % 2 === 1 ? "hex" : "utf8")))
}

async function replay(cli: CliFixture, command: string): Promise<string> {
  const [line = "", stdin = ""] = command.split(" <<")
  const { code, stdout, stderr } = await cli.run(words(line).slice(2), bytes(stdin))
  const errorRows =
    stderr === ""
      ? []
      : stderr
          .trimEnd()
          .split("\n")
          .map((row) => `2| ${row}`.trimEnd())
  const rows = [
    ...(stdout === "" ? [] : [stdout.trimEnd()]),
    ...errorRows,
    ...(code === 0 ? [] : [`[${code}]`]),
  ]
  return normalized([command, ...rows].join("\n"), cli)
}

describe.concurrent("transcript", () => {
  it.for(TRANSCRIPTS)("%s", async (name, { onTestFinished }) => {
    const written = readFileSync(join(import.meta.dirname, name), "utf8")
    const cli = new CliFixture(onTestFinished)
    if (written.includes("@paired")) await paired(cli)
    const head = written.slice(0, written.indexOf("$ "))
    const replayed: string[] = []
    for (const [command] of written.matchAll(/^\$ .*$/gm)) replayed.push(await replay(cli, command))
    const transcript = `${head}${replayed.join("\n")}\n`
    if (process.env["MQTTCHAT_GOLDEN"] === "write") writeFileSync(join(import.meta.dirname, name), transcript)
    expect(transcript).toBe(written)
  })
})
