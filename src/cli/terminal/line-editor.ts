import { PassThrough } from "node:stream"
import { StringDecoder } from "node:string_decoder"
import { clearScreenDown, createInterface, cursorTo, type Interface, type Key } from "node:readline"
import type { SafeText } from "../../wire/text.ts"
import { editAtDumbTerminal, isDumbTerminal, setLine } from "./dumb-terminal.ts"

/** Rows wait while you type, so that a screen reader is not interrupted, but no longer than this. */
const HELD_MS = 5000
const PASTE_ON = "\u001b[?2004h"
const PASTE_OFF = "\u001b[?2004l"

export type LineEditorEvents = {
  readonly onLine: (text: string) => void
  /** The line was begun, or is empty again. */
  readonly onTyping: (typing: boolean) => void
  /** After each key that changed what is typed. */
  readonly onEdit: (text: string) => void
  /** Ctrl+C on an empty line. */
  readonly onInterrupt: () => void
  /** Ctrl+D on an empty line, or the terminal is gone. */
  readonly onEnd: () => void
}

/** A terminal where rows appear above the line that is being typed. */
export type LineEditor = {
  /** `onTaken` is called when the terminal has the row. */
  readonly print: (row: SafeText, onTaken?: () => void) => void
  /** What is typed and not entered yet, all its rows. */
  readonly typed: () => string
  /** Types a text for the user, who can change it before Enter. */
  readonly offer: (text: string) => void
  readonly close: () => void
}

/**
 * Starts the editor. A pasted text of several rows becomes one line with line breaks and waits for Enter. With `plain`
 * no row on the screen is ever redrawn, and rows wait while the line is not empty.
 */
export function openLineEditor(plain: boolean, events: LineEditorEvents, ascii = false): LineEditor {
  const { stdout } = process
  const prompt = plain ? "" : "> "
  const isDumb = isDumbTerminal()
  const keys = keyByKey(process.stdin, (key) => isDumb && editAtDumbTerminal(readline, key))
  const readline = createInterface({ input: keys, output: stdout, terminal: true, prompt })
  const markPastes = (mark: string): void => {
    if (!isDumb) stdout.write(mark)
  }
  const restore = (): void => markPastes(PASTE_OFF)
  markPastes(PASTE_ON)
  process.once("exit", restore)
  const printer = plain ? bufferingPrinter(readline) : redrawingPrinter(readline)
  const clearLine = plain ? () => dropLine(readline) : () => eraseLine(readline)
  const paste = pasteBuffer({
    readline,
    keys,
    prompts: { first: prompt, further: ascii ? "| " : "│ " },
    clearLine,
  })
  readline.on("line", (text) => {
    const whole = paste.entered(text)
    if (whole !== undefined) events.onLine(whole)
    printer.entered()
    readline.prompt()
  })
  const typed = (): string => [...paste.rows(), readline.line].join("\n")
  watchTyping(readline, keys, events.onTyping)
  watchEdits(keys, typed, events.onEdit)
  closeOnHangUp(readline, process.stdin)
  readline.on("SIGINT", () => (paste.clear() ? readline.prompt() : events.onInterrupt()))
  readline.on("close", events.onEnd)
  readline.prompt()
  let isClosed = false
  const close = (): void => {
    isClosed = true
    readline.off("close", events.onEnd)
    readline.close()
    process.stdin.destroy()
    restore()
    process.off("exit", restore)
  }
  // What was under way when the chat ended may still print.
  const print: LineEditor["print"] = (...row) => (isClosed ? undefined : printer.print(...row))
  return { print, typed, offer: paste.offer, close }
}

/**
 * Passes the keys of a terminal on one at a time. If several arrive at once, as from a paste or a slow connection,
 * Node's editor puts all but the last at the end of the line instead of at the caret, and miscounts the rows.
 */
function keyByKey(terminal: NodeJS.ReadStream, isHandled: (key: string) => boolean): PassThrough {
  const decoder = new StringDecoder("utf8")
  const keys = new PassThrough()
  terminal.on("data", (chunk: Buffer) => {
    for (const key of decoder.write(chunk)) if (!isHandled(key)) keys.write(key)
  })
  // an earlier prompt has paused it
  terminal.resume()
  return Object.assign(keys, { setRawMode: (raw: boolean) => terminal.setRawMode(raw) })
}

/**
 * The editor would take the end of its input for Enter and send an unfinished text. A terminal that is gone may fail as
 * well, also after this call, because closing the editor changes its mode.
 */
function closeOnHangUp(readline: Interface, terminal: NodeJS.ReadStream): void {
  terminal.once("end", () => readline.close())
  terminal.on("error", () => setImmediate(() => readline.close()))
}

function watchTyping(readline: Interface, keys: PassThrough, onTyping: LineEditorEvents["onTyping"]): void {
  let typing = false
  const check = (): void => {
    const isBegun = readline.line !== ""
    if (isBegun !== typing) onTyping(isBegun)
    typing = isBegun
  }
  // the editor gets the key after us
  keys.on("keypress", () => setImmediate(check))
}

function watchEdits(keys: PassThrough, typed: () => string, onEdit: LineEditorEvents["onEdit"]): void {
  let before = ""
  keys.on("keypress", () =>
    setImmediate(() => {
      const text = typed()
      if (text !== before) onEdit(text)
      before = text
    }),
  )
}

type RowPrinter = Pick<LineEditor, "print"> & { readonly entered: () => void }

function writeRow(row: SafeText, onTaken: (() => void) | undefined): void {
  process.stdout.write(`${row}\n`, (refusal) => (refusal ? undefined : onTaken?.()))
}

/** Removes the typed text with the editor's own keys. */
function eraseLine(readline: Interface): void {
  readline.write(null, { ctrl: true, name: "e" })
  readline.write(null, { ctrl: true, name: "u" })
}

/** Removes the typed text without redrawing it, and says so. */
function dropLine(readline: Interface): void {
  setLine(readline, "")
  process.stdout.write("^C\ninfo: the line was dropped; Ctrl+C again leaves\n")
}

/** Removes the typed text, writes the row, and types the text again, with the editor's own keys. */
function redrawingPrinter(readline: Interface): RowPrinter {
  const print: RowPrinter["print"] = (row, onTaken) => {
    const { line: text, cursor } = readline
    eraseLine(readline)
    cursorTo(process.stdout, 0)
    clearScreenDown(process.stdout)
    writeRow(row, onTaken)
    readline.prompt()
    readline.write(text)
    for (let at = text.length; at > cursor; at = readline.cursor) readline.write(null, { name: "left" })
  }
  return { print, entered: () => undefined }
}

function bufferingPrinter(readline: Interface): RowPrinter {
  const held: Parameters<RowPrinter["print"]>[] = []
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    for (const [row, onTaken] of held.splice(0)) writeRow(row, onTaken)
  }
  const overdue = (): void => {
    process.stdout.write("\n")
    flush()
    readline.prompt(true)
  }
  const print: RowPrinter["print"] = (row, onTaken) => {
    held.push([row, onTaken])
    if (readline.line === "") {
      flush()
      return
    }
    timer ??= setTimeout(overdue, HELD_MS)
  }
  return { print, entered: flush }
}

type PasteBuffer = {
  readonly entered: (text: string) => string | undefined
  readonly clear: () => boolean
  readonly rows: () => readonly string[]
  readonly offer: (text: string) => void
}

/** What the editor would take for a key. */
const KEYS = /\p{Cc}/gu

type Prompts = { readonly first: string; readonly further: string }

type PasteParts = {
  readonly readline: Interface
  readonly keys: PassThrough
  readonly prompts: Prompts
  readonly clearLine: () => void
}

/** Between the marks of a bracketed paste Enter is a line break. */
function pasteBuffer({ readline, keys, prompts, clearLine }: PasteParts): PasteBuffer {
  const rows: string[] = []
  let pasting = false
  keys.on("keypress", (_text: string | undefined, key: Key) => {
    if (key.name === "paste-start") pasting = true
    if (key.name === "paste-end") pasting = false
  })
  const entered = (text: string): string | undefined => {
    rows.push(text)
    readline.setPrompt(pasting ? prompts.further : prompts.first)
    return pasting ? undefined : rows.splice(0).join("\n")
  }
  const clear = (): boolean => {
    const hadText = rows.splice(0).length > 0 || readline.line !== ""
    readline.setPrompt(prompts.first)
    if (hadText) clearLine()
    return hadText
  }
  const offer = (text: string): void => {
    const offered = text.split("\n").map((row) => row.replace(KEYS, " "))
    for (const row of offered.slice(0, -1)) {
      rows.push(row)
      readline.write(row)
      process.stdout.write("\n")
      setLine(readline, "")
      readline.setPrompt(prompts.further)
      readline.prompt()
    }
    readline.write(offered.at(-1) ?? "")
  }
  return { entered, clear, rows: () => rows, offer }
}
