import { PassThrough } from "node:stream"
import { StringDecoder } from "node:string_decoder"
import { clearScreenDown, createInterface, cursorTo, type Interface, type Key } from "node:readline"
import { safe, type SafeText } from "../../wire/text.ts"

/** A screen reader is not cut off while one types, but nothing waits longer than this. */
const HELD_MS = 5000
const PASTE_ON = "\u001b[?2004h"
const PASTE_OFF = "\u001b[?2004l"

export type Typed = {
  readonly onLine: (text: string) => void
  /** The line is begun, or empty again. */
  readonly onTyping: (typing: boolean) => void
  /** Ctrl+C on an empty line. */
  readonly onInterrupt: () => void
  /** Ctrl+D on an empty line, or the terminal is gone. */
  readonly onEnd: () => void
}

/** A terminal where rows appear above the line that is being typed. */
export type Teleprinter = {
  readonly print: (row: SafeText) => void
  readonly close: () => void
}

/**
 * Starts typing. A pasted text of several rows becomes one line with line breaks and waits for Enter. With `plain`
 * nothing on the screen is ever changed again, and rows wait while the line is not empty.
 */
export function openTeleprinter(plain: boolean, typed: Typed): Teleprinter {
  const { stdout } = process
  const prompt = plain ? "" : "> "
  const keys = oneByOne(process.stdin)
  const line = createInterface({ input: keys, output: stdout, terminal: true, prompt })
  const restore = (): void => void stdout.write(PASTE_OFF)
  stdout.write(PASTE_ON)
  process.once("exit", restore)
  const paper = plain ? heldPaper(line) : redrawnPaper(line)
  const lines = pasteAware(line, keys, prompt)
  line.on("line", (text) => {
    const whole = lines.entered(text)
    if (whole !== undefined) typed.onLine(whole)
    paper.entered()
    line.prompt()
  })
  heedTyping(line, keys, typed.onTyping)
  line.on("SIGINT", () => (lines.drop() ? line.prompt() : typed.onInterrupt()))
  line.on("close", typed.onEnd)
  line.prompt()
  const close = (): void => {
    line.off("close", typed.onEnd)
    line.close()
    process.stdin.destroy()
    restore()
    process.off("exit", restore)
  }
  return { print: paper.print, close }
}

/**
 * The keys of a terminal one at a time. Of several at once, as from a paste or a slow line, Node's editor puts all but
 * the last at the end of the line, wherever the caret is, and loses count of the rows.
 */
function oneByOne(terminal: NodeJS.ReadStream): PassThrough {
  const decoder = new StringDecoder("utf8")
  const keys = new PassThrough()
  terminal.on("data", (chunk: Buffer) => {
    for (const key of decoder.write(chunk)) keys.write(key)
  })
  terminal.once("end", () => keys.end())
  // a prompt that was answered before has paused it
  terminal.resume()
  return Object.assign(keys, { setRawMode: (raw: boolean) => terminal.setRawMode(raw) })
}

function heedTyping(line: Interface, keys: PassThrough, onTyping: Typed["onTyping"]): void {
  let typing = false
  const look = (): void => {
    const isBegun = line.line !== ""
    if (isBegun !== typing) onTyping(isBegun)
    typing = isBegun
  }
  // the editor hears the key after us
  keys.on("keypress", () => setImmediate(look))
}

type Paper = { readonly print: (row: SafeText) => void; readonly entered: () => void }

/** Takes the typed text away, writes the row, and types the text again, by the editor's own keys. */
function redrawnPaper(line: Interface): Paper {
  const print = (row: SafeText): void => {
    const { line: text, cursor } = line
    line.write(null, { ctrl: true, name: "e" })
    line.write(null, { ctrl: true, name: "u" })
    cursorTo(process.stdout, 0)
    clearScreenDown(process.stdout)
    process.stdout.write(`${row}\n`)
    line.prompt()
    line.write(text)
    for (let at = text.length; at > cursor; at = line.cursor) line.write(null, { name: "left" })
  }
  return { print, entered: () => undefined }
}

function heldPaper(line: Interface): Paper {
  const held: SafeText[] = []
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    for (const row of held.splice(0)) process.stdout.write(`${row}\n`)
  }
  const overdue = (): void => {
    process.stdout.write("\n")
    flush()
    line.prompt(true)
  }
  const print = (row: SafeText): void => {
    held.push(row)
    if (line.line === "") {
      flush()
      return
    }
    timer ??= setTimeout(overdue, HELD_MS)
  }
  return { print, entered: flush }
}

type Entry = { readonly entered: (text: string) => string | undefined; readonly drop: () => boolean }

/** Between the marks of a bracketed paste Enter is a line break. */
function pasteAware(line: Interface, keys: PassThrough, prompt: string): Entry {
  const rows: string[] = []
  let pasting = false
  keys.on("keypress", (_text: string | undefined, key: Key) => {
    if (key.name === "paste-start") pasting = true
    if (key.name === "paste-end") pasting = false
  })
  const entered = (text: string): string | undefined => {
    rows.push(text)
    line.setPrompt(pasting ? safe`│ ` : prompt)
    return pasting ? undefined : rows.splice(0).join("\n")
  }
  const drop = (): boolean => {
    const some = rows.splice(0).length > 0 || line.line !== ""
    line.setPrompt(prompt)
    line.write(null, { ctrl: true, name: "e" })
    line.write(null, { ctrl: true, name: "u" })
    return some
  }
  return { entered, drop }
}
