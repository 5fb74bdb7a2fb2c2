import type { Action } from "./cli/terminal/context.ts"
import { readDuration, SEND_WAIT_MS } from "./cli/terminal/duration.ts"
import { withProfile } from "./cli/terminal/hints.ts"
import { openOutput } from "./cli/terminal/output.ts"
import { openSink } from "./cli/terminal/sink.ts"
import { type SendOptions, sendText, type ClientContext } from "./cli/messages/messages.ts"
import { showWholeInbox } from "./cli/messages/whole-inbox.ts"
import { answerLimit, connectingToSend } from "./cli/messages/send-limits.ts"
import { silentOwner } from "./cli/terminal/silent-process.ts"
import { connectOwner } from "./daemon/client.ts"
import { type Debug, NO_DEBUG } from "./debug/debug.ts"
import { Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"

const WAITS = ["broker", "delivered", "read"] as const

/** `send` or `inbox`, with as much of the program as it needs. */
type FastCommand = {
  /** What it adds to the fault of an owner that does not answer. */
  readonly connecting: <T>(connection: Promise<T>) => Promise<T>
  /** The profile has an owner that answers. */
  readonly viaOwner: (clientContext: ClientContext) => Promise<void>
  /** This process becomes the owner. */
  readonly asOwner: Action
}

type ParsedArguments = {
  readonly command: FastCommand
  readonly profile: string
  readonly json: boolean
  readonly quiet: boolean
  readonly ascii?: boolean
  readonly timeoutMs?: number
}

/**
 * Runs a plain `send NAME TEXT` or `inbox`, through the owner of the profile if it has one, and gives the exit code.
 * Undefined for any other command line: the caller then loads the whole program.
 */
export async function runFastPath(
  argv: readonly string[],
  defaultProfile: string,
): Promise<number | undefined> {
  const parsed = parseArguments(argv, process.env["MQTTCHAT_PROFILE"] ?? defaultProfile)
  if (parsed === undefined) return undefined
  const { command, profile, json, quiet, timeoutMs } = parsed
  const advice = (text: string): string => withProfile(text, profile, defaultProfile)
  const out = openOutput({ json, quiet, colour: "auto", ascii: parsed.ascii === true, advice })
  try {
    const paths = profilePaths(process.env, profile)
    const answerMs = answerLimit(timeoutMs)
    const options = { debug: await debugOutput(), silence: silentOwner(paths), answerMs }
    const client = await command.connecting(connectOwner(paths.socket, options))
    if (client === undefined) return await asOwner(parsed, defaultProfile)
    try {
      await command.viaOwner({ client, out })
    } finally {
      await client.close()
    }
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return out.conclude(cause)
  }
  return out.conclude()
}

function stderrLines(): (line: string) => void {
  return openSink(process.stderr).write
}

/** Rarely needed, so its code is loaded only then. */
async function debugOutput(): Promise<Debug> {
  if (!process.env["MQTTCHAT_DEBUG"]) return NO_DEBUG
  return (await import("./debug-output.ts")).openDebugOutput(process.env, false, stderrLines)
}

async function asOwner({ command, ...globals }: ParsedArguments, defaultProfile: string): Promise<number> {
  const { runAction } = await import("./cli/run-action.ts")
  return runAction(command.asOwner, { ...globals, color: "auto", input: true }, defaultProfile)
}

/** Flags with a value; undefined for a wrong value, which the whole program then reports. */
const VALUED: Readonly<Record<string, (value: string, flags: Flags) => Flags | undefined>> = {
  "--profile": (profile, flags) => ({ ...flags, profile }),
  "--wait": (value, flags) => {
    const wait = WAITS.find((known) => known === value)
    return wait && { ...flags, wait }
  },
  "--timeout": (value, flags) => {
    const timeoutMs = readDuration(value)
    return timeoutMs === undefined ? undefined : { ...flags, timeoutMs }
  },
}

const BARE: Readonly<Record<string, Partial<Flags>>> = {
  "--json": { json: true },
  "--quiet": { quiet: true },
  "-q": { quiet: true },
  "--ascii": { ascii: true },
  "--no-wait": { wait: "queued" },
}

type Flags = Pick<ParsedArguments, "profile" | "json" | "quiet" | "ascii"> &
  Partial<Pick<SendOptions, "wait" | "timeoutMs">>

function parseArguments(argv: readonly string[], defaultProfile: string): ParsedArguments | undefined {
  const words: string[] = []
  let flags: Flags | undefined = { profile: defaultProfile, json: false, quiet: false }
  for (let at = 0; at < argv.length && flags !== undefined; at++) {
    const word = argv[at] ?? ""
    const [valued, bare] = [VALUED[word], BARE[word]]
    if (valued !== undefined) flags = valued(argv[++at] ?? "", flags)
    else if (bare !== undefined) flags = { ...flags, ...bare }
    else if (word.startsWith("-")) return undefined
    else words.push(word)
  }
  if (flags === undefined) return undefined
  const command = commandOf(words, flags)
  return command && { command, ...flags }
}

function commandOf(words: readonly string[], { wait, timeoutMs }: Flags): FastCommand | undefined {
  const [command, contact, text, ...more] = words
  if (command === "inbox" && words.length === 1 && wait === undefined && timeoutMs === undefined) {
    const asOwner: Action = async (context) =>
      (await import("./cli/messages/message-commands.ts")).inbox(context, { follow: false })
    return { connecting: (connection) => connection, viaOwner: showWholeInbox, asOwner }
  }
  if (command !== "send" || contact === undefined || text === undefined || more.length > 0) return undefined
  const message = { contact, text, wait: wait ?? "broker", timeoutMs: timeoutMs ?? SEND_WAIT_MS } as const
  return {
    connecting: connectingToSend,
    viaOwner: (clientContext) => sendText({ ...clientContext, owner: "another" }, message),
    asOwner: async (context) => (await import("./cli/messages/message-commands.ts")).send(context, message),
  }
}
