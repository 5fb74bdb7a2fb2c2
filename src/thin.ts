import { forProfile } from "./cli/hints.ts"
import { type Output, openOutput } from "./cli/output.ts"
import { sendText, showInbox, type Talk } from "./cli/talk.ts"
import { connectOwner } from "./daemon/client.ts"
import { EXIT_CODE, Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"

/** What `send` and `inbox` can do without the rest of the program, when the profile has an owner that answers. */
type Errand = (talk: Talk) => Promise<void>

type Understood = {
  readonly errand: Errand
  readonly profile: string
  readonly json: boolean
  readonly quiet: boolean
}

/**
 * Hands a plain `send NAME TEXT` or `inbox` to the owner of the profile and gives the exit code. Undefined where there
 * is no owner or anything else was typed: then the whole program is loaded, which understands more.
 */
export async function runThin(argv: readonly string[], defaultProfile: string): Promise<number | undefined> {
  const understood = understand(argv, process.env["MQTTCHAT_PROFILE"] ?? defaultProfile)
  if (understood === undefined) return undefined
  const { errand, profile, json, quiet } = understood
  const advice = (text: string): string => forProfile(text, profile, defaultProfile)
  const out = openOutput({ json, quiet, colour: "auto", advice }, () => process.exit())
  try {
    const client = await connectOwner(profilePaths(process.env, profile).socket)
    if (client === undefined) return undefined
    try {
      await errand({ client, out })
    } finally {
      await client.close()
    }
    return 0
  } catch (cause) {
    return failed(cause, out)
  }
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
  if (command === "inbox" && words.length === 1 && wait) return showInbox
  if (command !== "send" || to === undefined || text === undefined || more.length > 0) return undefined
  return (talk) => sendText(talk, { to, text, wait })
}
