import { Command, CommanderError, Option } from "commander"
import manifest from "../../package.json" with { type: "json" }
import { EXIT_CODE, Fault } from "../errors.ts"
import { profilePaths } from "../paths.ts"
import type { Action, Context, Start } from "./context.ts"
import { forProfile } from "./hints.ts"
import { dieOf, Lifetime } from "./lifetime.ts"
import { descriptor } from "./numbers.ts"
import { type Colour, openOutput, type Output } from "./output.ts"
import { addRegistering, addRegistrar } from "./commands-broker.ts"
import { addPairing, addProfile, addServing } from "./commands-setup.ts"
import { addPlain, addTalking } from "./commands-talk.ts"

const EXAMPLES = `
Examples:
  mqttchat init                          make your keys
  mqttchat broker --lan                  run a broker for everybody on this network
  mqttchat pair                          invite somebody
  mqttchat pair 7-crowd-river@10.0.0.5   answer an invitation
  mqttchat chat bob                      talk
  mqttchat send bob "on my way"          one message
  mqttchat inbox --follow                what arrives
`

type Globals = {
  readonly profile: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color: Colour
  /** False for --no-input. */
  readonly input: boolean
  readonly passphraseFile?: string
  readonly passphraseFd?: number
}

/** Runs one command line and gives the exit code. Faults are told here, where the output's manner is known. */
export async function run(argv: readonly string[], defaultProfile: string): Promise<number> {
  const lifetime = new Lifetime()
  let chosen: Action | undefined
  const program = grammar(defaultProfile, (action) => (chosen = action))
  const parsed = parse(program, argv)
  if (parsed !== "parsed" && typeof parsed === "number") return parsed
  const globals = program.opts<Globals>()
  const { json = false, quiet = false, color, profile } = globals
  const advice = (text: string): string => forProfile(text, profile, defaultProfile)
  const out = openOutput({ json, quiet, colour: color, advice }, () => lifetime.end("reader-gone"))
  if (parsed !== "parsed") return told(out, parsed)
  if (chosen === undefined) return EXIT_CODE.usage
  try {
    lifetime.heedSignals()
    return await conduct(chosen, contextOf(globals, out, lifetime))
  } catch (cause) {
    if (cause instanceof Fault) return told(out, cause)
    throw cause
  }
}

/** Until the action is done or something ends it; then everything it opened is closed. */
async function conduct(action: Action, context: Context): Promise<number> {
  const { lifetime, out } = context
  const ending = await Promise.race([outcome(action(context)), lifetime.ended])
  const closed = await outcome(lifetime.close())
  if (typeof ending === "object") throw ending.cause
  if (typeof closed === "object") throw closed.cause
  if (ending === "done" || ending === "reader-gone") return 0
  await out.flushed()
  dieOf(ending)
  return 0
}

/** A failure as a value: whatever was abandoned may fail later, when nobody waits for it any more. */
function outcome(work: Promise<void>): Promise<"done" | { readonly cause: unknown }> {
  return work.then(
    () => "done",
    (cause: unknown) => ({ cause }),
  )
}

function told(out: Output, fault: Fault): number {
  out.failure(fault)
  return EXIT_CODE[fault.code]
}

function contextOf(globals: Globals, out: Output, lifetime: Lifetime): Context {
  const { profile, passphraseFile, passphraseFd, input } = globals
  const { env, stdin, stderr } = process
  return {
    env,
    profile,
    paths: profilePaths(env, profile),
    out,
    lifetime,
    passphrase: {
      ...(passphraseFile === undefined ? {} : { file: passphraseFile }),
      ...(passphraseFd === undefined ? {} : { fd: passphraseFd }),
    },
    mayAsk: input && stdin.isTTY && stderr.isTTY && !env["CI"],
  }
}

/** The command line as commander reads it, an exit code if that was all (help, version), or what is wrong with it. */
function parse(program: Command, argv: readonly string[]): "parsed" | number | Fault {
  try {
    program.parse(argv, { from: "user" })
    return "parsed"
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.code === "commander.helpDisplayed" || cause.code === "commander.version") return 0
    if (cause.code === "commander.help") return EXIT_CODE.usage
    return new Fault("usage", sentence(cause.message), "mqttchat --help")
  }
}

/** commander's `error: unknown command 'sned'\n(Did you mean send?)` as one of our sentences. */
function sentence(message: string): string {
  const [what = "", ...suggestion] = message.replace(/^error: /, "").split("\n")
  const joined = [what, ...suggestion].join(" ").replace(/\.$/, "")
  return joined.replaceAll(/\. ([A-Za-z])/g, (_end, first: string) => `: ${first.toLowerCase()}`)
}

function grammar(defaultProfile: string, start: Start): Command {
  const program = new Command("mqttchat")
    .description("Private chat in the terminal, end-to-end encrypted, over an MQTT broker")
    .version(manifest.version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText("after", EXAMPLES)
    .addOption(
      new Option("--profile <name>", "which of your identities")
        .env("MQTTCHAT_PROFILE")
        .default(defaultProfile),
    )
    .option("--passphrase-file <file>", "read the passphrase from a file")
    .option("--passphrase-fd <number>", "read the passphrase from an open descriptor", descriptor)
    .option("--json", "one JSON object a row on stdout, errors as JSON on stderr")
    .option("--no-input", "never ask; fail instead and say which flag answers")
    .option("-q, --quiet", "only results and errors")
    .addOption(
      new Option("--color <when>", "use colour").choices(["auto", "always", "never"]).default("auto"),
    )
  addProfile(program, start)
  addServing(program, start)
  addRegistrar(program, start)
  addRegistering(program, start)
  addPairing(program, start)
  addTalking(program, start)
  addPlain(program, start)
  return program
}
