import { type Command, Option } from "commander"
import type { PrivacyFlags } from "../contacts/contact-settings.ts"
import type { Start } from "../terminal/context.ts"
import { TIMER_FORM } from "../terminal/duration.ts"
import { receiptDelay } from "./option-parsers.ts"

/** contacts, and what is agreed with one. */
export function addContacts(program: Command, start: Start): void {
  const contacts = program
    .command("contacts")
    .description("list your contacts, or change one")
    .action(() => start(async (context) => (await import("../contacts/pair-or-join.ts")).contacts(context)))
  contacts
    .command("rename <name> <to>")
    .description("call a contact something else")
    .action((contact: string, to: string) =>
      start(async (context) => (await import("../contacts/pair-or-join.ts")).rename(context, contact, to)),
    )
  contacts
    .command("block <name>")
    .description("drop what a contact sends")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/pair-or-join.ts")).block(context, contact)),
    )
  contacts
    .command("unblock <name>")
    .description("take it back")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/pair-or-join.ts")).unblock(context, contact)),
    )
  contacts
    .command("forget <name>")
    .description("delete a contact and the conversation")
    .option("--yes", "do not ask")
    .action((contact: string, { yes = false }: { yes?: boolean }) =>
      start(async (context) =>
        (await import("../contacts/pair-or-join.ts")).forget(context, { contact, confirmed: yes }),
      ),
    )
  contacts
    .command("replace <name> <new-name>")
    .description("a person with new keys, paired as NEW-NAME, goes on as NAME; compare before you write")
    .action((contact: string, newContact: string) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).replaceContact(context, { contact, newContact }),
      ),
    )
  program
    .command("timer <name> [time]")
    .description("let messages disappear on both sides after such a time, or never: off")
    .addHelpText("after", `\nThe time is ${TIMER_FORM}, or off. Without it the present one is shown.`)
    .action((contact: string, time: string | undefined) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).timer(context, contact, time),
      ),
    )
  program
    .command("privacy <name>")
    .description("what a contact is told of you; without options it is shown")
    .addOption(onOrOff("--read-receipts <when>", "tell that messages were read"))
    .addOption(onOrOff("--typing <when>", "tell that something is being written"))
    .option("--receipt-delay <time>", "let receipts wait a random time up to this (0s)", receiptDelay)
    .action((contact: string, options: PrivacyFlags) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).privacy(context, contact, options),
      ),
    )
  program
    .command("reset <name>")
    .description("make the connection with a contact anew, with the same keys and history")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/contact-settings.ts")).reset(context, contact)),
    )
}

function onOrOff(flags: string, description: string): Option {
  return new Option(flags, description).choices(["on", "off"])
}
