import { EXIT_CODE, type Fault } from "../../errors.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"

/**
 * How we speak. What a command was asked for goes to stdout, one thing a row, or with --json one object a row that
 * names its schema. Everything else goes to stderr: `✓` for what was done, `!` for a warning, and for a failure
 * `mqttchat: what and why` in lower case without a full stop, then the next command behind an arrow.
 * Colour only repeats what the words say.
 */
export type Output = {
  readonly json: boolean
  /** A row on stdout. */
  readonly data: (row: SafeText) => void
  /** A row of JSON on stdout. */
  readonly record: (schema: string, value: object) => void
  /** A row on stderr; silent under --quiet. */
  readonly info: (row: SafeText) => void
  /** The same with a tick before it. */
  readonly done: (row: SafeText) => void
  /** A row on stderr, even under --quiet. */
  readonly warn: (row: SafeText) => void
  /** Says what to type next; silent under --quiet. */
  readonly next: (advice: SafeText) => void
  readonly failure: (fault: Fault) => void
  /** For rows of stdout. */
  readonly styled: (style: Style, text: SafeText) => SafeText
  /** Resolves when everything written to stdout so far has reached its reader. */
  readonly flushed: () => Promise<void>
}

export type Colour = "auto" | "always" | "never"

export type OutputOptions = {
  readonly json: boolean
  readonly quiet: boolean
  readonly colour: Colour
  /** Makes the commands of an advice fit for typing as they stand. */
  readonly advice: (advice: string) => string
}

/** Select Graphic Rendition parameters (ECMA-48, 8.3.117). */
const STYLE = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
type Style = keyof typeof STYLE

/** What JSON leaves as it is and a terminal or an editor may still act upon. */
const ACTIVE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** `readerGone` is called when whoever read our stdout closed it, as `head -1` does: no failure, but the end. */
export function openOutput(options: OutputOptions, onReaderGone: () => void): Output {
  const { stdout, stderr } = process
  for (const stream of [stdout, stderr])
    stream.on("error", (cause: NodeJS.ErrnoException) => onStreamError(cause, onReaderGone))
  const row = (stream: NodeJS.WriteStream, text: SafeText): void => void stream.write(`${text}\n`)
  const writeStderr = (text: SafeText): void => row(stderr, text)
  const stderrPainter = painter(stderr, options.colour)
  return {
    json: options.json,
    data: (text) => row(stdout, text),
    record: (schema, value) => row(stdout, toJson(schema, value)),
    info: (text) => (options.quiet ? undefined : writeStderr(text)),
    done: (text) =>
      options.quiet ? undefined : writeStderr(safe`${stderrPainter("green", safe`✓`)} ${text}`),
    warn: (text) => writeStderr(safe`${stderrPainter("yellow", safe`!`)} ${text}`),
    next: (advice) => (options.quiet ? undefined : writeStderr(options.advice(advice) as SafeText)),
    failure: ({ code, message, hint }) => {
      const shown = { code, message, hint: hint === undefined ? undefined : options.advice(hint) }
      writeStderr(options.json ? failureJson(shown) : failureText(shown, stderrPainter))
    },
    styled: painter(stdout, options.colour),
    flushed: () => new Promise((resolve) => void stdout.write("", () => resolve())),
  }
}

function onStreamError(cause: NodeJS.ErrnoException, onReaderGone: () => void): void {
  if (cause.code !== "EPIPE") throw cause
  onReaderGone()
}

type Painter = (style: Style, text: SafeText) => SafeText

function painter(stream: NodeJS.WriteStream, colour: Colour): Painter {
  if (!hasColour(stream, colour)) return (_style, text) => text
  return (style, text) => `\u001b[${STYLE[style]}m${text}\u001b[0m` as SafeText
}

/** NO_COLOR is asked before Node is, which would warn about FORCE_COLOR beside it. */
function hasColour(stream: NodeJS.WriteStream, colour: Colour): boolean {
  if (colour !== "auto") return colour === "always"
  return !process.env["NO_COLOR"] && stream.isTTY && stream.hasColors()
}

type Failure = Pick<Fault, "code" | "message" | "hint">

function failureText({ message, hint }: Failure, paint: Painter): SafeText {
  const what = safe`${paint("red", safe`mqttchat:`)} ${display(message)}`
  return hint === undefined ? what : safe`${what}\n  → ${display(hint)}`
}

function failureJson({ code, message, hint }: Failure): SafeText {
  return toJson("mqttchat/error/1", { code, exit: EXIT_CODE[code], message, hint: hint ?? null })
}

/** Raw text of others is in it, escaped so that it changes nothing on a terminal that it is printed to. */
function toJson(schema: string, value: object): SafeText {
  const text = JSON.stringify({ schema, ...value })
  return text.replace(ACTIVE_IN_JSON, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  }) as SafeText
}
