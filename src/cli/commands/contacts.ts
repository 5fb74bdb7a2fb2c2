import { type Command, Option } from "commander"
import type { PrivacyFlags } from "../contacts/contact-settings.ts"
import type { Start } from "../terminal/context.ts"
import { TIMER_FORM } from "../terminal/duration.ts"
import { muteTime, receiptDelay } from "./option-parsers.ts"

/** contacts, timer, privacy, reset. */
export function addContacts(program: Command, start: Start): void {
  const contacts = program
    .command("contacts")
    .description("list your contacts, or change one")
    .action(() => start(async (context) => (await import("../contacts/pair-or-join.ts")).contacts(context)))
  contacts
    .command("rename <name> <to>")
    .description("rename a contact")
    .action((contact: string, to: string) =>
      start(async (context) => (await import("../contacts/pair-or-join.ts")).rename(context, contact, to)),
    )
  contacts
    .command("block <name>")
    .description("block a contact")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/pair-or-join.ts")).block(context, contact)),
    )
  contacts
    .command("unblock <name>")
    .description("unblock a contact; what they sent meanwhile is left out")
    .option("--with-messages", "show what they sent meanwhile, in its order")
    .action((contact: string, { withMessages = false }: { withMessages?: boolean }) =>
      start(async (context) =>
        (await import("../contacts/pair-or-join.ts")).unblock(context, contact, withMessages),
      ),
    )
  contacts
    .command("mute <name>")
    .description("let nothing interrupt you for a contact; what they write is unread as ever")
    .option("--for <time>", "how long; without it until you unmute them", muteTime)
    .action((contact: string, flags: { for?: number }) =>
      start(async (context) => (await import("../contacts/muting.ts")).mute(context, contact, flags.for)),
    )
  contacts
    .command("unmute <name>")
    .description("end that")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/muting.ts")).unmute(context, contact)),
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
    .description("give NAME the new keys that you paired as NEW-NAME; compare them before you write")
    .action((contact: string, newContact: string) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).replaceContact(context, { contact, newContact }),
      ),
    )
  addSettings(program, start)
}

/** What is set for one contact. */
function addSettings(program: Command, start: Start): void {
  program
    .command("timer <name> [time]")
    .description("delete messages on both sides this long after they are read; off: never")
    .addHelpText("after", `\nThe time is ${TIMER_FORM}, or off. Without a time, the current one is shown.`)
    .action((contact: string, time: string | undefined) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).timer(context, contact, time),
      ),
    )
  program
    .command("privacy <name>")
    .description("choose what a contact learns about you; without options, show it")
    .addOption(onOrOff("--read-receipts <when>", "tell them when you have read their messages"))
    .addOption(onOrOff("--typing <when>", "tell them when you are typing"))
    .option("--receipt-delay <time>", "delay receipts by a random time up to this (0s)", receiptDelay)
    .action((contact: string, options: PrivacyFlags) =>
      start(async (context) =>
        (await import("../contacts/contact-settings.ts")).privacy(context, contact, options),
      ),
    )
  program
    .command("reset <name>")
    .description("start a new session with a contact; keys and history stay")
    .action((contact: string) =>
      start(async (context) => (await import("../contacts/contact-settings.ts")).reset(context, contact)),
    )
}

function onOrOff(flags: string, description: string): Option {
  return new Option(flags, description).choices(["on", "off"])
}
