import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import ts from "typescript"
import { afterAll, describe, expect, it, test } from "vitest"
import { COMMAND_NAMES } from "../../src/cli/terminal/command-names.ts"
import { withProfile } from "../../src/cli/terminal/hints.ts"
import { commandFor, shellCommand } from "../../src/shell-command.ts"
import { displayRow } from "../../src/wire/text.ts"

const ROOT = join(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "mqttchat-shell-"))
const marker = join(folder, "ran")
const HOSTILE = [
  `bob;touch ${marker};#`,
  `$(touch ${marker})`,
  `\`touch ${marker}\``,
  `' ; touch ${marker} ; '`,
  `\\' ; touch ${marker} #`,
  `bob\ntouch ${marker}`,
  `bob\u001b]0;x\u0007`,
  `bob\u202egpj`,
  "bob & carol | dave > x",
  "--yes",
  "-",
  "~root",
  "*",
  "a b  c",
  '"$HOME"',
  "=ls",
  "!!",
  "",
  "mqttchat send bob",
  "Zo\u00eb \u2019 \u{1f600}",
  "back\\slash\\",
]

const PLAIN = "bob"

/** What a template has of commands: its literal parts, and where it stands. */
type Template = { readonly place: string; readonly tag: string | undefined; readonly parts: string[] }

function templates(): Template[] {
  const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  return files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const path = join("src", file)
      const source = ts.createSourceFile(
        path,
        readFileSync(join(ROOT, path), "utf8"),
        ts.ScriptTarget.ES2023,
        true,
      )
      const found: Template[] = []
      const examine = (node: ts.Node): void => {
        if (ts.isTemplateExpression(node)) found.push(describeTemplate(source, node))
        ts.forEachChild(node, examine)
      }
      examine(source)
      return found
    })
}

/** A part is followed by a value, except for the last; what is quoted already counts as text. */
function describeTemplate(source: ts.SourceFile, node: ts.TemplateExpression): Template {
  const { line } = source.getLineAndCharacterOfPosition(node.getStart())
  const tag = ts.isTaggedTemplateExpression(node.parent) ? node.parent.tag.getText() : undefined
  const parts = [node.head.text]
  for (const { expression, literal } of node.templateSpans) {
    if (/^shell(Word|Command)/.test(expression.getText()))
      parts.push(`${parts.pop() ?? ""}QUOTED${literal.text}`)
    else parts.push(literal.text)
  }
  return { place: `${source.fileName}:${line + 1}`, tag, parts }
}

const COMMAND = new RegExp(
  `(?:^|[\\s(])(?:mqttchat (?:--[a-z-]+ )*(?:${COMMAND_NAMES.join("|")})|chmod|chown|mv|rm|kill|cp)(?! of )(?: [^,;:\n]*)? $`,
)
const OPTION = /--[a-z-]+ $/
const all = templates()

/** Whether a value follows in a command; a comment of a file that we write is none. */
function isCommand(part: string): boolean {
  const row = part.split("\n").at(-1) ?? ""
  return !row.startsWith("#") && COMMAND.test(row)
}

/** After the words of each line; a command that we print has no such character. */
const END_OF_LINE = "\u0001"
const EACH_LINE = `mqttchat() { printf '%s\\0' "$@"; }; for c in chmod chown mv rm kill cp sudo mosquitto; do eval "$c() { printf '%s\\\\0' \\"\\$@\\"; }"; done
for line do eval "$line"; printf '\\1'; done`

/** The words that a POSIX shell makes of each command, with our program replaced by one that prints them. */
function wordsOfEach(lines: readonly string[]): string[][] {
  const printed = execFileSync("sh", ["-c", EACH_LINE, "sh", ...lines], { encoding: "utf8", cwd: folder })
  return printed
    .split(END_OF_LINE)
    .slice(0, -1)
    .map((words) => words.split("\0").slice(0, -1))
}

function wordsOf(line: string): string[] | undefined {
  return wordsOfEach([line])[0]
}

afterAll(() => rmSync(folder, { recursive: true }))

describe("every command that is printed with a value", () => {
  it("has that value quoted", () => {
    const bare = all.filter(({ tag, parts }) => {
      return tag !== "shellCommand" && parts.slice(0, -1).some(isCommand)
    })
    expect(bare.map(({ place, parts }) => `${place} ${parts.join("…")}`)).toEqual([])
  })

  const printed = all.filter(({ tag }) => tag === "shellCommand")

  it("is one of these", () => {
    expect(printed.length).toBeGreaterThan(20)
  })

  test.each(printed)("$place gives a shell what it says, whatever the value holds", ({ parts }) => {
    if (!/^(mqttchat|chmod|mv|rm|kill|cp) /.test(parts[0] ?? "")) return
    const plain = wordsOf(commandFor("posix", parts, parts.slice(1).fill(PLAIN)))
    const lines = HOSTILE.map((value) => commandFor("posix", parts, parts.slice(1).fill(value)))
    const read = wordsOfEach(lines)
    for (const [at, value] of HOSTILE.entries()) {
      const [line, words] = [lines[at], read[at]]
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
      const expected = plain?.map((word) => (word === PLAIN ? displayRow(value) : word))
      const isDashed = value.startsWith("-") && parts.slice(0, -1).some((part) => !OPTION.test(part))
      expect(words?.sort(), line).toEqual([...(expected ?? []), ...(isDashed ? ["--"] : [])].sort())
      expect(() => readFileSync(marker)).toThrow()
    }
  })
})

describe("a command", () => {
  it("is as short as it can be", () => {
    expect(shellCommand`mqttchat verify ${"bob"} --yes`).toBe("mqttchat verify bob --yes")
    expect(shellCommand`mqttchat pair ${"7-crowd-river@10.0.0.5"}`).toBe(
      "mqttchat pair 7-crowd-river@10.0.0.5",
    )
    expect(shellCommand`kill ${17}`).toBe("kill 17")
  })

  it("has flags before --, and -- before a value with a dash", () => {
    expect(commandFor("posix", ["mqttchat verify ", " --yes"], ["-bob"])).toBe(
      "mqttchat verify --yes -- -bob",
    )
    expect(commandFor("posix", ["mqttchat contacts replace ", " ", ""], ["bob", "-b"])).toBe(
      "mqttchat contacts replace bob -- -b",
    )
    expect(commandFor("posix", ["mqttchat registrar --broker ", ""], ["-x"])).toBe(
      "mqttchat registrar --broker -x",
    )
    expect(commandFor("powershell", ["mqttchat verify ", " --yes"], ["-b"])).toBe(
      "mqttchat verify --yes '--' '-b'",
    )
  })

  it("is quoted as PowerShell reads it: all its quotes doubled, nothing else changed", () => {
    const word = (value: string): string => commandFor("powershell", ["", ""], [value])
    expect(word("bob;calc")).toBe("'bob;calc'")
    expect(word("it's \u2018so\u2019")).toBe("'it''s \u2018\u2018so\u2019\u2019'")
    expect(word('$(calc) `x` "y"')).toBe("'$(calc) `x` \"y\"'")
    expect(word("@splat")).toBe("'@splat'")
    expect(word("a,b")).toBe("'a,b'")
    expect(word("back\\slash")).toBe("back\\slash")
  })

  it("gives a shell back any text that a terminal shows as it is", () => {
    const text = fc
      .string({ unit: "binary", maxLength: 12 })
      .map((value) => displayRow(value.replaceAll("\0", "")))
    fc.assert(
      fc.property(fc.array(text, { minLength: 20, maxLength: 20 }), (values) => {
        const parts = ["mqttchat search -- ", ...values.map(() => " ")]
        const quoted = commandFor(
          "posix",
          parts,
          values.map((value) => value.replace(/^-+/, "")),
        )
        expect(wordsOf(quoted)?.slice(2)).toEqual(values.map((value) => value.replace(/^-+/, "")))
      }),
      { numRuns: 30 },
    )
  })
})

test("the profile is added to commands, and to nothing that a value holds", () => {
  const advice = (hint: string): string => withProfile(hint, "work", "default")
  expect(advice("mqttchat verify bob, then: mqttchat send bob hi")).toBe(
    "mqttchat --profile work verify bob, then: mqttchat --profile work send bob hi",
  )
  for (const value of ["mqttchat send bob", "it's 'mqttchat send' x", "\\'mqttchat send"]) {
    const command = advice(shellCommand`mqttchat verify ${value}`)
    expect(wordsOf(command)).toEqual(["--profile", "work", "verify", value])
  }
})
