import type { Action } from "./cli/context.ts"
import { readDuration, SEND_WAIT_MS } from "./cli/duration.ts"
import { forProfile } from "./cli/hints.ts"
import { type Output, openOutput } from "./cli/output.ts"
import { type SendWish, sendText, showInbox, type Talk } from "./cli/talk/talk.ts"
import { connectOwner } from "./daemon/client.ts"
import { EXIT_CODE, Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"

const WAITS = ["broker", "delivered", "read"] as const

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

/** What a flag with a value says; undefined for a value that the whole program has to complain about. */
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
  "--no-wait": { wait: "disk" },
}

type Flags = Pick<Understood, "profile" | "json" | "quiet"> & Partial<Pick<SendWish, "wait" | "timeoutMs">>

function understand(argv: readonly string[], defaultProfile: string): Understood | undefined {
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
  const errand = errandOf(words, flags)
  return errand && { errand, ...flags }
}

function errandOf(words: readonly string[], { wait, timeoutMs }: Flags): Errand | undefined {
  const [command, to, text, ...more] = words
  if (command === "inbox" && words.length === 1 && wait === undefined && timeoutMs === undefined) {
    const alone: Action = async (context) => (await import("./cli/talk/converse.ts")).inbox(context, false)
    return { byOwner: showInbox, alone }
  }
  if (command !== "send" || to === undefined || text === undefined || more.length > 0) return undefined
  const wish = { to, text, wait: wait ?? "broker", timeoutMs: timeoutMs ?? SEND_WAIT_MS } as const
  return {
    byOwner: (talk) => sendText(talk, wish),
    alone: async (context) => (await import("./cli/talk/converse.ts")).send(context, wish),
  }
}
