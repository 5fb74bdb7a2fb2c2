import { Command, CommanderError, Option } from "commander"
import { EXIT_CODE, Fault } from "../errors.ts"
import { VERSION } from "../version.ts"
import { runAction, type GlobalOptions } from "./run-action.ts"
import type { Action, Start } from "./terminal/context.ts"
import { fileDescriptor } from "./commands/option-parsers.ts"
import { addDevices, addRegister, addRegistrar } from "./commands/broker.ts"
import { addBackups } from "./commands/backup.ts"
import { addConfig } from "./commands/config.ts"
import { addDaemon } from "./commands/daemon.ts"
import { addIntroductions } from "./commands/introductions.ts"
import { addContacts } from "./commands/contacts.ts"
import { addShell } from "./commands/shell.ts"
import { addPairing, addProfile, addBroker } from "./commands/profile.ts"
import { addPubSub, addMessages } from "./commands/messages.ts"
import { helpTail } from "./shell/help-tail.ts"
import { showHelp, usageFault } from "./shell/parse-faults.ts"
import { printRows } from "./terminal/print.ts"
import type { SafeText } from "../wire/text.ts"

const EXAMPLES = `
Examples:
  mqttchat init                          make your keys
  mqttchat broker --lan                  run a broker for everyone on this network
  mqttchat pair                          show a code for a new contact
  mqttchat pair 7-crowd-river@10.0.0.5   pair with the code you were given
  mqttchat chat bob                      open a chat
  mqttchat send bob "on my way"          send one message
  mqttchat inbox --follow                print messages as they arrive
`

/** Runs one command line and gives the exit code. */
export async function run(argv: readonly string[], defaultProfile: string): Promise<number> {
  let chosen: Action | undefined
  let help = ""
  const program = grammar(
    defaultProfile,
    (action) => (chosen = action),
    (text) => (help += text),
  )
  const parsed = parse(program, argv)
  // Safe: our own words, from the grammar.
  if (parsed === "help") return printRows([help.replace(/\n$/, "") as SafeText])
  const action = parsed === "parsed" ? chosen : parsed === "nothing" ? startScreen : parsed
  return action === undefined
    ? EXIT_CODE.usage
    : runAction(action, program.opts<GlobalOptions>(), defaultProfile)
}

/** Parses the command line with commander: an action, help to print, or a Fault if it is wrong. */
function parse(program: Command, argv: readonly string[]): "parsed" | "help" | "nothing" | Fault {
  try {
    program.parse(argv, { from: "user" })
    return "parsed"
  } catch (cause) {
    if (cause instanceof Fault) return cause
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode === 0) return "help"
    const isBare = cause.code === "commander.help" && program.args.length === 0
    return isBare ? "nothing" : usageFault(program, cause)
  }
}

const startScreen: Action = async (context) =>
  (await import("./profile/start-screen.ts")).showStartScreen(context)

/** All commands and flags. `start` gets the action that was typed, `print` the text of --help and --version. */
export function grammar(defaultProfile: string, start: Start, print?: (text: string) => void): Command {
  const program = new Command("mqttchat")
    .description("Private chat in the terminal, end-to-end encrypted, over an MQTT broker")
    .version(VERSION, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      writeErr: () => undefined,
      ...(print && { writeOut: print }),
    })
    .addHelpText("after", EXAMPLES)
    .addHelpText("afterAll", ({ command }) => helpTail(command))
    .helpCommand(false)
    .addOption(
      new Option("--profile <name>", "which of your identities")
        .env("MQTTCHAT_PROFILE")
        .default(defaultProfile),
    )
    .option("--passphrase-file <file>", "read the passphrase from a file")
    .addOption(
      new Option("--passphrase-fd <number>", "read the passphrase from an open descriptor")
        .argParser(fileDescriptor)
        .conflicts("passphraseFile"),
    )
    .addOption(
      new Option(
        "--passphrase-command <command>",
        "run this command in the shell; its first line is the passphrase",
      ).conflicts(["passphraseFile", "passphraseFd"]),
    )
    .option("--json", "print one JSON object a line on stdout, errors as JSON on stderr")
    .option("--no-input", "never ask; fail and name the flag to give instead")
    .option("-q, --quiet", "print only results and errors")
    .option("-v, --verbose", "print on stderr what happens inside, never a secret")
    .option("--ascii", "use only ASCII for marks and lines (or set MQTTCHAT_ASCII)")
    .addOption(
      new Option("--color <when>", "use colour").choices(["auto", "always", "never"]).default("auto"),
    )
  addProfile(program, start)
  addConfig(program, start)
  addBackups(program, start)
  addBroker(program, start)
  addRegistrar(program, start)
  addRegister(program, start)
  addDevices(program, start)
  addPairing(program, start)
  addContacts(program, start)
  addIntroductions(program, start)
  addMessages(program, start)
  addDaemon(program, start)
  addPubSub(program, start)
  addShell(program, start)
  program
    .command("help [command...]")
    .description("display help for command")
    .action((words: string[]) => showHelp(program, words))
  return program
}
