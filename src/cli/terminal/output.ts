import { EXIT_CODE, type Fault } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"
import { isReaderGone, openSink, type Refusal } from "./sink.ts"
import { deferred } from "../../async/deferred.ts"
import { asciiMargins, asciiMarks } from "./ascii.ts"
import { wrap, wrapSentence } from "./wrap.ts"

/**
 * The rules of our output. Results go to stdout, one a row, or with --json one object a row that names its schema.
 * Everything else goes to stderr: `✓` for what was done, `!` for a warning, and for a failure `mqttchat: what and why` in
 * lower case without a full stop, then the next command after an arrow. Colour only repeats what the words say.
 */
export type Output = Rows & {
  readonly json: boolean
  /** Only ASCII for our own marks. */
  readonly ascii: boolean
  /** A row of text on stdout. On a terminal it wraps at words; each further row begins with `margin`, or as the row does. */
  readonly prose: (row: SafeText, margin?: SafeText) => void
  /** Rows about what is already done: if stdout does not take them, the command has still succeeded. */
  readonly report: Rows
  /** Bytes that are not text, on stdout. */
  readonly bytes: (chunk: Uint8Array) => void
  /** A row on stderr; silent under --quiet. */
  readonly info: (row: SafeText) => void
  /** The same, after a tick. */
  readonly done: (row: SafeText) => void
  /** A row on stderr, even under --quiet. */
  readonly warn: (row: SafeText) => void
  /** What to type next; silent under --quiet. */
  readonly next: (advice: SafeText) => void
  /** The same row with commands that can be typed unchanged. */
  readonly advised: (row: SafeText) => SafeText
  /** For rows of stdout. */
  readonly styled: (style: Style, text: SafeText) => SafeText
  /** Resolves when everything written to stdout so far was taken or refused, with whether all of it was taken. */
  readonly flushed: () => Promise<boolean>
  /** Resolves when stdout did not take a result: a long-running command can then end. */
  readonly lost: Promise<void>
  /** Prints how the command ended and gives its exit code. A failed write to stdout outranks any other fault. */
  readonly conclude: (fault?: Fault) => Promise<number>
}

/** Rows on stdout. If stdout does not take them, the command has failed. */
type Rows = {
  readonly data: (row: SafeText) => void
  /** A row of JSON. */
  readonly record: (schema: string, value: object) => void
}

export type Colour = "auto" | "always" | "never"

export type OutputOptions = {
  readonly json: boolean
  readonly quiet: boolean
  readonly colour: Colour
  readonly ascii?: boolean
  /** Completes the commands in a hint so that they can be typed unchanged. */
  readonly advice: (advice: string) => string
}

/** Select Graphic Rendition parameters (ECMA-48, 8.3.117). */
const STYLE = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
type Style = keyof typeof STYLE

/** What JSON does not escape and a terminal or an editor may still act on. */
const ACTIVE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

export function openOutput(options: OutputOptions): Output {
  const stdout = openSink(process.stdout)
  const stderr = openSink(process.stderr)
  const loss = watchLoss()
  const ascii = options.ascii === true || Boolean(process.env["MQTTCHAT_ASCII"])
  const plainMarks = (text: SafeText): SafeText => (ascii ? asciiMarks(text) : text)
  const plainMargins = (text: SafeText): SafeText => (ascii ? asciiMargins(text) : text)
  const advised = (row: SafeText): SafeText => options.advice(row) as SafeText
  const writeStderr = (text: SafeText): void => stderr.write(`${plainMarks(text)}\n`)
  const writeSentence = (text: SafeText): void => writeStderr(wrapSentence(text, columnsOf(process.stderr)))
  const own = rows((text) => stdout.write(text, loss.noted), plainMargins)
  const stderrPainter = painter(process.stderr, options.colour)
  const failure = ({ code, message, hint }: Fault): void => {
    const shown = { code, message, hint: hint === undefined ? undefined : options.advice(hint) }
    writeStderr(
      options.json ? failureJson(shown) : failureText(shown, stderrPainter, columnsOf(process.stderr)),
    )
  }
  return {
    json: options.json,
    ascii,
    ...own,
    prose: (text, margin) => own.data(wrap(text, columnsOf(process.stdout), margin)),
    report: rows((text) => stdout.write(text), plainMargins),
    bytes: (chunk) => stdout.write(chunk, loss.noted),
    info: (text) => (options.quiet ? undefined : writeSentence(text)),
    done: (text) =>
      options.quiet ? undefined : writeSentence(safe`${stderrPainter("green", safe`✓`)} ${text}`),
    warn: (text) => writeSentence(safe`${stderrPainter("yellow", safe`!`)} ${text}`),
    next: (advice) => (options.quiet ? undefined : writeStderr(advised(advice))),
    advised,
    styled: painter(process.stdout, options.colour),
    flushed: stdout.settled,
    lost: loss.happened,
    conclude: async (fault) => {
      await stdout.settled()
      const refusal = loss.refusal()
      const shown = refusal === undefined ? fault : faultOfLoss(refusal)
      if (shown !== undefined) failure(shown)
      if (refusal !== undefined) return EXIT_CODE.io
      return fault === undefined ? 0 : EXIT_CODE[fault.code]
    },
  }
}

/** Pipes and files get each row as it is. */
export function columnsOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? stream.columns : undefined
}

function rows(write: (text: string) => void, fit: (text: SafeText) => SafeText): Rows {
  return {
    data: (text) => write(`${fit(text)}\n`),
    record: (schema, value) => write(`${toJson(schema, value)}\n`),
  }
}

/** No error if the reader has closed the pipe, as `head -1` does. */
function faultOfLoss(refusal: Refusal): Fault | undefined {
  return isReaderGone(refusal) ? undefined : diskFault(refusal, "write to stdout")
}

type LossWatch = {
  readonly noted: (refusal: Refusal) => void
  readonly refusal: () => Refusal | undefined
  readonly happened: Promise<void>
}

function watchLoss(): LossWatch {
  let first: Refusal | undefined
  const happened = deferred()
  const noted = (refusal: Refusal): void => {
    first ??= refusal
    happened.resolve()
  }
  return { noted, refusal: () => first, happened: happened.promise }
}

type Painter = (style: Style, text: SafeText) => SafeText

function painter(stream: NodeJS.WriteStream, colour: Colour): Painter {
  if (!hasColour(stream, colour)) return (_style, text) => text
  return (style, text) => `\u001b[${STYLE[style]}m${text}\u001b[0m` as SafeText
}

/** Checks NO_COLOR before asking Node, which would warn if FORCE_COLOR is set as well. */
function hasColour(stream: NodeJS.WriteStream, colour: Colour): boolean {
  if (colour !== "auto") return colour === "always"
  return !process.env["NO_COLOR"] && stream.isTTY && stream.hasColors()
}

type Failure = Pick<Fault, "code" | "message" | "hint">

/** The hint is not wrapped: it is copied. */
function failureText({ message, hint }: Failure, paint: Painter, columns: number | undefined): SafeText {
  const what = wrap(safe`${paint("red", safe`mqttchat:`)} ${display(message)}`, columns)
  return hint === undefined ? what : safe`${what}\n  → ${display(hint)}`
}

function failureJson({ code, message, hint }: Failure): SafeText {
  return toJson("mqttchat/error/1", { code, exit: EXIT_CODE[code], message, hint: hint ?? null })
}

/** It may contain text from others, escaped so that it cannot act on a terminal. */
function toJson(schema: string, value: object): SafeText {
  const text = JSON.stringify({ schema, ...value })
  return text.replace(ACTIVE_IN_JSON, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  }) as SafeText
}
