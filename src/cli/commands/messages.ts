import { type Command, Option } from "commander"
import { SEND_WAIT_MS } from "../terminal/duration.ts"
import type { HistoryOptions } from "../messages/history.ts"
import { duration, eventNumber, limit, pointInTime, port } from "./option-parsers.ts"
import type { Start } from "../terminal/context.ts"
import type { Wait } from "../messages/messages.ts"
import type { PlainOptions } from "../broker/plain-client.ts"

const ID_NOTE =
  "\nAn id is what --ids and --json show; its first digits are enough. With --after or --since everything from there on is printed, unless a number is given with -n."

const REACT_NOTE = "\nAn id is what mqttchat history NAME --ids shows; its first digits are enough."

const DELETE_NOTE =
  "\nWith --for-all the contact's mqttchat is asked to delete it, too; what they have read or copied, they keep. Without it the contact keeps what has arrived. What was not sent yet is cancelled; what is on its way still arrives. An id is what mqttchat history NAME --ids shows; its first digits are enough. Backups made before still hold the message."

const OUTBOX_NOTE =
  "\nAn edit, a reaction and a deletion for both wait here, too, with the id of their message. They cannot be cancelled: " +
  "another edit or reaction takes the place of the one before."

const SEND_NOTES =
  "\nAn id is what mqttchat history NAME --ids shows; its first digits are enough. A message that is edited shows that it was, and keeps what it said before. " +
  "Exits with 0 when the message is there, 75 when it goes out later, 77 when it may not be sent, 69 when the contact never took it."

const INBOX_NOTES =
  "\nExits with 75 when it knows that the broker holds more than it has brought. What another command has shown is no " +
  "longer new; with --follow, several readers each get everything that comes from then on."

type SendFlags = {
  readonly reply?: string
  readonly edit?: string
  readonly wait?: "broker" | "delivered" | "read" | false
  readonly timeout?: number
}

/** chat, send, react, outbox, inbox, history, search, delete. */
export function addMessages(program: Command, start: Start): void {
  program
    .command("chat <name>")
    .description("chat with a contact, line by line")
    .option("--plain", "for screen readers: only add lines, never redraw one")
    .action((contact: string, { plain = false }: { plain?: boolean }) =>
      start(async (context) =>
        (await import("../messages/message-commands.ts")).startChat(context, { contact, plain }),
      ),
    )
  addSend(program, start)
  addReact(program, start)
  program
    .command("outbox")
    .description("list messages that have not arrived, and why")
    .option("--cancel <id>", "cancel the message whose id begins with this")
    .addHelpText("after", OUTBOX_NOTE)
    .action(({ cancel }: { cancel?: string }) =>
      start(async (context) => {
        const { cancelEntry, listOutbox } = await import("../messages/outbox.ts")
        await (cancel === undefined ? listOutbox(context) : cancelEntry(context, cancel))
      }),
    )
  addReading(program, start)
}

/** With --edit the id says whose message it is: a single argument is then the text. */
function addSend(program: Command, start: Start): void {
  program
    .command("send [name] [text]")
    .description("send one message; without text, or with -, it is read from stdin")
    .option("--reply <id>", "answer the message whose id begins with this")
    .addOption(
      new Option("--edit <id>", "give a message of yours another text; the name may be left out").conflicts([
        "reply",
        "wait",
        "timeout",
      ]),
    )
    .addOption(
      new Option(
        "--wait <state>",
        "wait until it is on the broker, delivered to the contact, or read (broker)",
      ).choices(["broker", "delivered", "read"]),
    )
    .option("--no-wait", "do not wait; end when it is on this disk")
    .option("--timeout <time>", "how long to wait (10s); after that it still goes out later", duration)
    .addHelpText("after", SEND_NOTES)
    .action((name: string | undefined, text: string | undefined, flags: SendFlags, command: Command) => {
      const { edit, reply, wait, timeout: timeoutMs = SEND_WAIT_MS } = flags
      if (edit !== undefined) {
        const change = text === undefined ? { id: edit, text: name } : { id: edit, contact: name, text }
        start(async (context) => (await import("../messages/message-commands.ts")).edit(context, change))
        return
      }
      if (name === undefined) command.error("error: missing required argument 'name'")
      const options = { contact: name, text, reply, wait: waitOf(wait), timeoutMs }
      start(async (context) => (await import("../messages/message-commands.ts")).send(context, options))
    })
}

function waitOf(wait: SendFlags["wait"]): Wait {
  return wait === false ? "queued" : (wait ?? "broker")
}

function addReact(program: Command, start: Start): void {
  program
    .command("react <id> [emoji]")
    .description("react to a message with one emoji, in place of the one before")
    .option("--remove", "take your reaction away")
    .addHelpText("after", REACT_NOTE)
    .action(
      (id: string, emoji: string | undefined, { remove = false }: { remove?: boolean }, command: Command) => {
        if ((emoji === undefined) !== remove) command.error("error: give either an emoji or --remove")
        start(async (context) =>
          (await import("../messages/message-commands.ts")).react(context, id, emoji ?? null),
        )
      },
    )
}

function addReading(program: Command, start: Start): void {
  program
    .command("inbox")
    .description("print new messages")
    .option("-f, --follow", "keep printing messages as they arrive")
    .option("--since <number>", "with --follow: start after this event, read or not", eventNumber)
    .addHelpText("after", INBOX_NOTES)
    .action(({ follow = false, since }: { follow?: boolean; since?: number }) =>
      start(async (context) =>
        (await import("../messages/message-commands.ts")).inbox(context, { follow, since }),
      ),
    )
  listing(program.command("history <name>").description("print a conversation"))
    .option("--before <id>", "the last messages before this one")
    .option("--after <id>", "all messages after this one")
    .option("--since <time>", "all messages that came since then, such as 2h, 7d or 2026-11-30", pointInTime)
    .addHelpText("after", ID_NOTE)
    .action((contact: string, { last, limit = last, ...range }: HistoryFlags) =>
      start(async (context) =>
        (await import("../messages/message-commands.ts")).history(context, contact, withLimit(range, limit)),
      ),
    )
  listing(program.command("search <words...>"))
    .description("find messages that contain these words, newest first")
    .action((words: string[], { last, limit = last, ids = false, edits = false }: HistoryFlags) =>
      start(async (context) =>
        (await import("../messages/message-commands.ts")).search(
          context,
          withLimit({ query: words.join(" "), ids, edits }, limit),
        ),
      ),
    )
  program
    .command("delete [id]")
    .description("delete a message on this laptop only, or all messages with a contact")
    .option("--for-all", "a message of yours on both sides")
    .option("--all <contact>", "every message with this contact, who stays a contact")
    .option("--yes", "do not ask")
    .addHelpText("after", DELETE_NOTE)
    .action((id: string | undefined, { all, forAll = false, yes = false }: DeleteFlags, command: Command) => {
      if ((id === undefined) === (all === undefined))
        command.error("error: give either an id or --all <contact>")
      if (all !== undefined && forAll) command.error("error: --for-all takes one id")
      start(async (context) => {
        const { deleteAll, deleteForAll, deleteMessage } = await import("../messages/delete.ts")
        if (all !== undefined) await deleteAll(context, { contact: all, confirmed: yes })
        else if (id !== undefined) await (forAll ? deleteForAll : deleteMessage)(context, id)
      })
    })
}

type DeleteFlags = { readonly all?: string; readonly forAll?: boolean; readonly yes?: boolean }

type HistoryFlags = HistoryOptions & { readonly last?: number }

function listing(command: Command): Command {
  return command
    .option("-n, --last <number>", "how many messages (50)", limit)
    .addOption(new Option("--limit <number>", "the same").argParser(limit).hideHelp())
    .option("--ids", "print the id of each message first")
    .option("--edits", "print what an edited message said before")
}

function withLimit<Options extends object>(
  options: Options,
  count: number | undefined,
): Options & { readonly limit?: number } {
  return count === undefined ? options : { ...options, limit: count }
}

/** pub and sub: the broker like any MQTT client sees it. */
export function addPubSub(program: Command, start: Start): void {
  plain(program.command("pub <topic> [message]"))
    .description("publish one message as plain MQTT, for testing a broker; - or none reads stdin")
    .option("--retain", "the broker keeps it for later subscribers; an empty message removes it")
    .action((topic: string, message: string | undefined, flags: PlainFlags & { retain?: boolean }) =>
      start(async (context) => {
        const { retain = false } = flags
        await (
          await import("../broker/pubsub.ts")
        ).publishPlain(context, { topic, message, retain }, optionsOf(flags))
      }),
    )
  plain(program.command("sub <topic>"))
    .description("print what is published to a topic filter as plain MQTT, for testing a broker")
    .action((topic: string, flags: PlainFlags) =>
      start(async (context) =>
        (await import("../broker/pubsub.ts")).subscribePlain(context, topic, optionsOf(flags)),
      ),
    )
}

type PlainFlags = Omit<PlainOptions, "qos"> & { readonly qos: string }

function optionsOf(flags: PlainFlags): PlainOptions {
  return { ...flags, qos: flags.qos === "2" ? 2 : flags.qos === "1" ? 1 : 0 }
}

function plain(command: Command): Command {
  return command
    .option("-H, --host <host>", "address of the broker", "localhost")
    .option("-p, --port <number>", "default: 1883, with TLS 8883", port)
    .option("-u, --username <name>", "your account at the broker")
    .option("--password-file <file>", "its password")
    .option("-i, --client-id <id>", "default: a random one")
    .addOption(new Option("--qos <level>", "quality of service").choices(["0", "1", "2"]).default("1"))
    .addOption(
      new Option("--mqtt-version <version>", "protocol").choices(["5", "3.1.1", "3.1"]).default("3.1.1"),
    )
    .option("--tls", "connect over TLS")
    .option("--ca <file>", "certificate of the authority to trust (PEM)")
    .option("--cert <file>", "your own certificate (PEM)")
    .option("--key <file>", "its key (PEM)")
}
