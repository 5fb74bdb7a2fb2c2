import { spawn, type IPty } from "@lydell/node-pty"
import xterm from "@xterm/headless"
import { onTestFinished } from "vitest"
import { type CliFixture, PROGRAM } from "./cli-fixture.ts"

const ROWS = 40
const COLUMNS = 100

/** The program to run and its user; by default the built program, as the user who runs the tests. */
export type Started = {
  readonly command: string
  readonly before?: readonly string[]
  readonly folder?: string
  readonly uid?: number
  readonly columns?: number
}

const BUILT: Started = { command: process.execPath, before: [PROGRAM] }

/** A user at a terminal, who types and reads the screen of an emulator. */
export class Terminal {
  readonly #pty: IPty
  readonly #screen: xterm.Terminal
  readonly #ended: Promise<{ exitCode: number; signal?: number | undefined }>
  #raw = ""
  #drawn: () => void = () => undefined

  constructor(cli: Pick<CliFixture, "env">, args: readonly string[], started = BUILT) {
    const { command, before = [], folder, uid, columns = COLUMNS } = started
    this.#screen = new xterm.Terminal({
      rows: ROWS,
      cols: columns,
      allowProposedApi: true,
      scrollback: 1000,
    })
    this.#pty = spawn(command, [...before, ...args], {
      cols: columns,
      rows: ROWS,
      env: { ...cli.env, TERM: "xterm-256color" },
      ...(folder === undefined ? {} : { cwd: folder }),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
    this.#ended = new Promise((resolve) => this.#pty.onExit(resolve))
    this.#pty.onData((text) => {
      this.#raw += text
      this.#screen.write(text, () => this.#drawn())
    })
    // a terminal answers queries
    this.#screen.onData((answer) => this.#pty.write(answer))
    onTestFinished(() => this.#pty.kill("SIGKILL"))
  }

  type(text: string): void {
    this.#pty.write(text)
  }

  /** Resolves with the match when the screen shows it. */
  async shows(wanted: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = wanted.exec(this.text)
      if (found !== null) return found
      const more = new Promise<"more">((resolve) => (this.#drawn = () => resolve("more")))
      if ((await Promise.race([more, this.#ended])) === "more") continue
      await new Promise<void>((resolve) => this.#screen.write("", resolve))
      const last = wanted.exec(this.text)
      if (last !== null) return last
      throw new Error(`the program ended and the screen never showed ${wanted}:\n${this.text}`)
    }
  }

  async ended(): Promise<{ exitCode: number; signal?: number | undefined }> {
    const ended = await this.#ended
    await new Promise<void>((resolve) => this.#screen.write("", resolve))
    return ended
  }

  kill(signal: NodeJS.Signals): void {
    this.#pty.kill(signal)
  }

  /** Hangs up, as when the window is closed. */
  hangUp(): void {
    // missing from the types of node-pty
    const destroy: unknown = Reflect.get(this.#pty, "destroy")
    if (typeof destroy === "function") Reflect.apply(destroy, this.#pty, [])
  }

  /** All rows, without blanks at their ends. */
  get text(): string {
    const { active } = this.#screen.buffer
    const rows = Array.from(
      { length: active.length },
      (_, row) => active.getLine(row)?.translateToString(true) ?? "",
    )
    return rows.join("\n")
  }

  /** The terminal state that a program must restore. */
  get leftBehind(): { bracketedPaste: boolean; alternateScreen: boolean; hiddenCursor: boolean } {
    return {
      bracketedPaste: this.#screen.modes.bracketedPasteMode,
      alternateScreen: this.#screen.buffer.active.type === "alternate",
      hiddenCursor: this.#raw.lastIndexOf("\u001b[?25l") > this.#raw.lastIndexOf("\u001b[?25h"),
    }
  }
}

export const WHOLE = { bracketedPaste: false, alternateScreen: false, hiddenCursor: false }
export const ENTER = "\r"
export const CTRL_C = "\u0003"
export const CTRL_D = "\u0004"
export const DOWN = "\u001b[B"
