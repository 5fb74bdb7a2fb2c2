import { setTimeout as delay } from "node:timers/promises"
import { isatty } from "node:tty"
import type { Debug } from "../debug/debug.ts"
import { Fault } from "../errors.ts"
import { profilePaths } from "../paths.ts"
import { openDebugOutput } from "../debug-output.ts"
import type { Action, Context } from "./terminal/context.ts"
import { withProfile } from "./terminal/hints.ts"
import { exitBySignal, Lifetime } from "./terminal/lifetime.ts"
import { openSink } from "./terminal/sink.ts"
import { type Colour, openOutput, type Output } from "./terminal/output.ts"

/** A signal ends a command in order, or without order after this long: nothing that was acknowledged is lost then either. */
const END_MS = 10_000
/** How long a reader that does not read can keep it from ending. */
const LAST_WORDS_MS = 1_000

/** Their file descriptors. */
const [STDIN, STDERR] = [0, 2] as const

/** The options of every command. */
export type GlobalOptions = {
  readonly profile: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
  readonly color: Colour
  readonly ascii?: boolean
  /** False for --no-input. */
  readonly input: boolean
  readonly passphraseFile?: string
  readonly passphraseFd?: number
  readonly passphraseCommand?: string
}

/**
 * Runs the action, or reports what is wrong with the command line, and gives the exit code. Faults are reported here,
 * where the output options are known.
 */
export async function runAction(
  action: Action | Fault,
  globals: GlobalOptions,
  defaultProfile: string,
): Promise<number> {
  const lifetime = new Lifetime()
  const { json = false, quiet = false, verbose = false, color, profile } = globals
  const advice = (text: string): string => withProfile(text, profile, defaultProfile)
  const out = openOutput({ json, quiet, colour: color, ascii: globals.ascii === true, advice })
  try {
    if (action instanceof Fault) throw action
    const debug = openDebugOutput(process.env, verbose, () => openSink(process.stderr).write)
    lifetime.handleSignals()
    await untilEnded(action, contextOf(globals, { out, lifetime, debug }))
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return out.conclude(cause)
  }
  return out.conclude()
}

/** Runs until the action is done or something ends it, then closes everything it opened. */
async function untilEnded(action: Action, context: Context): Promise<void> {
  const { lifetime, out } = context
  const ending = await Promise.race([outcome(action(context)), lifetime.ended])
  const isSignal = ending !== "done" && typeof ending === "string"
  if (isSignal) setTimeout(() => exitBySignal(ending), END_MS)
  const closed = await outcome(lifetime.close())
  if (typeof ending === "object") throw ending.cause
  if (typeof closed === "object") throw closed.cause
  if (!isSignal) return
  await Promise.race([out.flushed(), delay(LAST_WORDS_MS)])
  exitBySignal(ending)
}

/** A failure as a value: abandoned work may fail later, when nothing awaits it. */
function outcome(work: Promise<void>): Promise<"done" | { readonly cause: unknown }> {
  return work.then(
    () => "done",
    (cause: unknown) => ({ cause }),
  )
}

function contextOf(
  globals: GlobalOptions,
  parts: { readonly out: Output; readonly lifetime: Lifetime; readonly debug: Debug },
): Context {
  const { profile, passphraseFile, passphraseFd, passphraseCommand, input } = globals
  const { env } = process
  return {
    env,
    profile,
    paths: profilePaths(env, profile),
    ...parts,
    passphrase: {
      ...(passphraseFile === undefined ? {} : { file: passphraseFile }),
      ...(passphraseFd === undefined ? {} : { fd: passphraseFd }),
      ...(passphraseCommand === undefined ? {} : { command: passphraseCommand }),
    },
    // Not process.stdin: to make that stream takes longer than many a command.
    isInteractive: input && isatty(STDIN) && isatty(STDERR) && !env["CI"],
  }
}
