import { Argument, type Command } from "commander"
import type { Start } from "../terminal/context.ts"
import { introductionNumber } from "./option-parsers.ts"

/** introduce, introductions. */
export function addIntroductions(program: Command, start: Start): void {
  program
    .command("introduce <contact> <name>")
    .description("introduce two of your contacts to each other; both are asked")
    .addHelpText(
      "after",
      "\nNAME is asked first, then CONTACT. Each learns what you call the other. They become contacts of each other, introduced by you and not verified.",
    )
    .action((contact: string, to: string) =>
      start(async (context) =>
        (await import("../contacts/introductions.ts")).introduce(context, contact, to),
      ),
    )
  const introductions = program
    .command("introductions")
    .description("list introductions under way, or answer one")
    .action(() =>
      start(async (context) => (await import("../contacts/introductions.ts")).listIntroductions(context)),
    )
  introductions
    .command("accept")
    .addArgument(new Argument("<number>").argParser(introductionNumber))
    .description("meet the one who is introduced to you")
    .action((number: number) =>
      start(async (context) =>
        (await import("../contacts/introductions.ts")).acceptIntroduction(context, number),
      ),
    )
  introductions
    .command("refuse")
    .addArgument(new Argument("<number>").argParser(introductionNumber))
    .description("say no; no one is told")
    .action((number: number) =>
      start(async (context) =>
        (await import("../contacts/introductions.ts")).refuseIntroduction(context, number),
      ),
    )
}
