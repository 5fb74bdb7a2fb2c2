import { type Command, CommanderError } from "commander"
import { Fault } from "../../errors.ts"
import { editDistance } from "../../pairing/edit-distance.ts"
import { wordsOf } from "./help-tail.ts"

/** One typing error in a short word, two in a longer one. */
const NEAR_DISTANCE = 2

/** The command that commander was at when it refused the command line. */
function commandAt(program: Command): Command {
  const next = program.commands.find((command) => command.name() === program.args[0])
  return next === undefined ? program : commandAt(next)
}

/** Ends the parsing with the help of the command of these words. */
export function showHelp(program: Command, words: readonly string[]): never {
  let command = program
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word)
    if (next === undefined) throw unknownCommand(command, word)
    command = next
  }
  return command.help()
}

/** commander's refusal as a fault that points at the help of the command. */
export function usageFault(program: Command, cause: CommanderError): Fault {
  const command = commandAt(program)
  const isGroup = command.commands.length > 0 && command.registeredArguments.length === 0
  const [word] = command.args
  if (cause.code === "commander.help") return missingCommand(command)
  if (cause.code === "commander.excessArguments" && isGroup && word !== undefined)
    return unknownCommand(command, word)
  return new Fault("usage", sentence(cause.message), helpOf(command))
}

function helpOf(command: Command): string {
  return ["mqttchat", ...wordsOf(command), "--help"].join(" ")
}

function missingCommand(command: Command): Fault {
  const names = command.commands.map((each) => each.name()).join(", ")
  const message = `a command is missing after '${wordsOf(command).join(" ")}': ${names}`
  return new Fault("usage", message, helpOf(command))
}

function unknownCommand(command: Command, word: string): Fault {
  const typed = [...wordsOf(command), word].join(" ")
  const near = command.commands
    .map((each) => each.name())
    .find((name) => editDistance(name, word) <= NEAR_DISTANCE && name.length > NEAR_DISTANCE)
  const suggestion = near === undefined ? "" : ` (Did you mean ${near}?)`
  return new Fault("usage", `unknown command '${typed}'${suggestion}`, helpOf(command))
}

/** commander's `error: unknown command 'sned'\n(Did you mean send?)` as one of our sentences. */
function sentence(message: string): string {
  const [what = "", ...suggestion] = message.replace(/^error: /, "").split("\n")
  const joined = [what, ...suggestion].join(" ").replace(/\.$/, "")
  return joined.replaceAll(/\. ([A-Za-z])/g, (_end, first: string) => `: ${first.toLowerCase()}`)
}
