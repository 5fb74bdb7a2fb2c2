import type { Action } from "./cli/context.ts"
import { forProfile } from "./cli/hints.ts"
import { type Output, openOutput } from "./cli/output.ts"
import { sendText, showInbox, type Talk } from "./cli/talk.ts"
import { connectOwner } from "./daemon/client.ts"
import { EXIT_CODE, Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"

/** `send` or `inbox`, with as much of the program as it needs. */
type Errand = {
  /** The profile has an owner that answers. */
  readonly byOwner: (talk: Talk) => Promise<void>
  /** This process becomes the owner. */
  readonly alone: Action
}

type Understood = {
  readonly errand: Errand
  readonly profile: string
  readonly json: boolean
  readonly quiet: boolean
}

/**
 * Does a plain `send NAME TEXT` or `inbox`, by the owner of the profile if it has one, and gives the exit code. Undefined
 * where anything else was typed: then the whole program is loaded, which understands more.
 */
export async function runThin(argv: readonly string[], defaultProfile: string): Promise<number | undefined> {
  const understood = understand(argv, process.env["MQTTCHAT_PROFILE"] ?? defaultProfile)
  if (understood === undefined) return undefined
  const { errand, profile, json, quiet } = understood
  const advice = (text: string): string => forProfile(text, profile, defaultProfile)
  const out = openOutput({ json, quiet, colour: "auto", advice }, () => process.exit())
  try {
    const client = await connectOwner(profilePaths(process.env, profile).socket)
    if (client === undefined) return await alone(understood, defaultProfile)
    try {
      await errand.byOwner({ client, out })
    } finally {
      await client.close()
    }
    return 0
  } catch (cause) {
    return failed(cause, out)
  }
}

async function alone({ errand, ...globals }: Understood, defaultProfile: string): Promise<number> {
  const { conduct } = await import("./cli/conduct.ts")
  return conduct(errand.alone, { ...globals, color: "auto", input: true }, defaultProfile)
}

function failed(cause: unknown, out: Output): number {
  if (!(cause instanceof Fault)) throw cause
  out.failure(cause)
  return EXIT_CODE[cause.code]
}

function understand(argv: readonly string[], defaultProfile: string): Understood | undefined {
  const words: string[] = []
  const flags = { json: false, quiet: false, wait: true }
  let profile = defaultProfile
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ""
    if (word === "--profile") profile = argv[++at] ?? ""
    else if (word === "--json") flags.json = true
    else if (word === "--quiet" || word === "-q") flags.quiet = true
    else if (word === "--no-wait") flags.wait = false
    else if (word.startsWith("-")) return undefined
    else words.push(word)
  }
  const errand = errandOf(words, flags.wait)
  return errand && { errand, profile, json: flags.json, quiet: flags.quiet }
}

function errandOf(words: readonly string[], wait: boolean): Errand | undefined {
  const [command, to, text, ...more] = words
  if (command === "inbox" && words.length === 1 && wait) {
    const alone: Action = async (context) => (await import("./cli/converse.ts")).inbox(context, false)
    return { byOwner: showInbox, alone }
  }
  if (command !== "send" || to === undefined || text === undefined || more.length > 0) return undefined
  const wish = { to, text, wait }
  return {
    byOwner: (talk) => sendText(talk, wish),
    alone: async (context) => (await import("./cli/converse.ts")).send(context, wish),
  }
}
