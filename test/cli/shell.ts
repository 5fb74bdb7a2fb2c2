import { spawn, type IPty } from "@lydell/node-pty"
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { type CliFixture, PROGRAM } from "./cli-fixture.ts"

export const CONTACT_NAMES = join(PROGRAM, "../contact-names.cjs")

/** How each is started so that it reads no user's own configuration. */
const SHELLS = {
  bash: { start: ["--noprofile", "--norc", "-i"], load: "source <(mqttchat completion bash)" },
  zsh: {
    start: ["-f", "-i"],
    load: "autoload -U compinit && compinit -u -d $HOME/.zcompdump && source <(mqttchat completion zsh)",
  },
  fish: { start: ["--no-config", "-i"], load: "mqttchat completion fish | source" },
} as const

export type ShellName = keyof typeof SHELLS
export const SHELL_NAMES = Object.keys(SHELLS) as readonly ShellName[]

/** Prints its arguments in hexadecimal, unless it is asked for the script. */
const SPY = `#!/bin/sh
[ "$1" = completion ] && exec "${process.execPath}" "${PROGRAM}" "$@"
printf '<<'
for word; do printf '%s' "$word" | od -An -v -tx1 | tr -d ' \\n'; printf ,; done
echo '>>'
`
const NAMES = `#!/bin/sh
exec "${process.execPath}" "${CONTACT_NAMES}" "$@"
`
const CALLED = /<<((?:[0-9a-f]*,)*)>>/

function fromHex(word: string): string {
  return Buffer.from(word, "hex").toString()
}

/** @throws Error if it is not installed and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests. */
export function shellIsMissing(shell: ShellName): boolean {
  const missing = spawnSync(shell, ["-c", "true"]).status !== 0
  if (missing && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error(`${shell} is not installed: apt-get install ${shell}`)
  }
  return missing
}

/** A user at a real shell in a real terminal, where `mqttchat` prints the arguments it was called with. */
export class Shell {
  readonly #pty: IPty
  #screen = ""
  #drawn: () => void = () => undefined

  private constructor(shell: ShellName, cli: CliFixture) {
    const folder = join(cli.folder, "bin")
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "mqttchat"), SPY, { mode: 0o700 })
    writeFileSync(join(folder, "mqttchat-contacts"), NAMES, { mode: 0o700 })
    const { env } = cli
    this.#pty = spawn(shell, [...SHELLS[shell].start], {
      cwd: cli.folder,
      cols: 200,
      env: { ...env, PATH: `${folder}:${env["PATH"] ?? ""}`, TERM: "xterm-256color" },
    })
    this.#pty.onData((text) => {
      this.#screen += text
      this.#drawn()
    })
    onTestFinished(() => this.#pty.kill("SIGKILL"))
  }

  /** A shell that has loaded our script. */
  static async open(shell: ShellName, cli: CliFixture): Promise<Shell> {
    const opened = new Shell(shell, cli)
    opened.#pty.write(`${SHELLS[shell].load}\r`)
    await opened.calls("mqttchat ready")
    return opened
  }

  /** Types a line that ends by calling the program, and gives the arguments. A tab in it completes. */
  async calls(line: string): Promise<readonly string[]> {
    this.#screen = ""
    this.#pty.write(`${line}\r`)
    for (;;) {
      const [, words] = CALLED.exec(this.#screen) ?? []
      if (words !== undefined) return words.split(",").slice(0, -1).map(fromHex)
      await new Promise<void>((resolve) => (this.#drawn = resolve))
    }
  }
}
