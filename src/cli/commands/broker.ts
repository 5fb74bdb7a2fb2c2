import { Argument, type Command, Option } from "commander"
import type { LogOptions } from "../broker/ledger-log.ts"
import type { Start } from "../terminal/context.ts"
import type { InviteOptions } from "../broker/admin-commands.ts"
import { duration, port } from "./option-parsers.ts"
import type { PasswdOptions } from "../profile/passwd.ts"
import type { RegisterOptions } from "../contacts/register.ts"
import type { ExternalRegistrarOptions } from "../external-brokers/external-registrar.ts"

/** register. */
export function addRegister(program: Command, start: Start): void {
  program
    .command("register <invitation>")
    .description("register this laptop at a broker with an invitation")
    .option("--name <name>", "your name, if this also makes your profile")
    .option("--no-passphrase", "do not lock the keys, if this also makes your profile")
    .option("--insecure-transport", "for CODE@HOST at a broker that has no TLS")
    .option("--timeout <time>", "how long to wait for the broker (30s)", duration)
    .addHelpText(
      "after",
      "\nThe invitation is the line from `mqttchat broker invite`, the name of a file with it, - for stdin,\nor CODE@HOST from `mqttchat device add` on another laptop of yours.",
    )
    .action((invitation: string, options: RegisterOptions) =>
      start(async (context) =>
        (await import("../contacts/register.ts")).register(context, invitation, options),
      ),
    )
}

/** device add. */
export function addDevices(program: Command, start: Start): void {
  const device = program.command("device").description("your laptops at the broker")
  device
    .command("add")
    .description(
      "let another laptop of yours in at the broker, as an identity of its own: shows a code to type there",
    )
    .addHelpText(
      "after",
      "\nThe other laptop gets keys of its own. It becomes a device of the same user at the broker, and a contact of this\n" +
        "laptop; it does not get your contacts or conversations, and your contacts do not know it. Pair them with it too, or\n" +
        "move everything with: mqttchat export FILE, and there: mqttchat import FILE",
    )
    .addOption(new Option("--words <number>", "words in the code").choices(["2", "3"]).default("2"))
    .action(({ words }: { words: string }) =>
      start(async (context) => {
        await (
          await import("../contacts/pair-or-join.ts")
        ).addDevice(context, { words: words === "3" ? 3 : 2 })
      }),
    )
}

/** registrar. */
export function addRegistrar(program: Command, start: Start): void {
  program
    .command("registrar")
    .description("let people register at an external broker, such as Mosquitto, until Ctrl+C")
    .requiredOption("--broker <host[:port]>", "where devices connect; separate several nodes by commas")
    .option("--guests <host[:port]>", "where new devices register, if elsewhere")
    .option("--by-name", "the broker's certificate is publicly trusted, not from our authority")
    .option("--rabbitmq <port>", "the broker is RabbitMQ and asks for access decisions on this port", port)
    .option("--crl <file>", "where the broker reads its revocation list")
    .option("--pid-file <file>", "file with the broker's process id; SIGHUP makes it reload the list")
    .option("--new-authority", "the keys are lost: make new ones; everyone has to register again")
    .action((options: ExternalRegistrarOptions) =>
      start(async (context) =>
        (await import("../external-brokers/external-registrar.ts")).serveRegistrar(context, options),
      ),
    )
}

/** The operator's commands: broker invite, users, devices, invites, rename, revoke, inviters. */
export function addAdmin(broker: Command, start: Start): void {
  broker
    .command("invite <user>")
    .description("invite a person: prints a line to give to them")
    .option("--again", "for a user who is registered already, such as after the loss of a laptop")
    .option("--no-qr", "show no QR code")
    .action((name: string, options: InviteOptions) =>
      start(async (context) =>
        (await import("../broker/admin-commands.ts")).inviteMember(context, name, options),
      ),
    )
  broker
    .command("users")
    .description("list the users")
    .action(() => start(async (context) => (await import("../broker/admin-commands.ts")).users(context)))
  broker
    .command("devices")
    .description("list the devices of all users")
    .action(() => start(async (context) => (await import("../broker/admin-commands.ts")).devices(context)))
  broker
    .command("invites")
    .description("list the invitations")
    .action(() => start(async (context) => (await import("../broker/admin-commands.ts")).invites(context)))
  broker
    .command("rename <user> <to>")
    .description("rename a user")
    .action((user: string, to: string) =>
      start(async (context) => (await import("../broker/admin-commands.ts")).renameMember(context, user, to)),
    )
  broker
    .command("revoke <user[/device]>")
    .description("shut out a user, or one of their devices, at once")
    .action((who: string) =>
      start(async (context) => (await import("../broker/admin-commands.ts")).revokeMember(context, who)),
    )
  broker
    .command("inviters")
    .description("show or set who may invite")
    .addArgument(new Argument("[who]").choices(["operator", "members"]))
    .action((who: "operator" | "members" | undefined) =>
      start(async (context) => (await import("../broker/admin-commands.ts")).inviters(context, who)),
    )
  broker
    .command("passwd")
    .description("change the passphrase of the broker's keys")
    .option("--new-passphrase-file <file>", "read the new one from a file")
    .option("--no-passphrase", "remove the passphrase")
    .action((options: PasswdOptions) =>
      start(async (context) => (await import("../broker/passwd.ts")).brokerPasswd(context, options)),
    )
  broker
    .command("log")
    .description("print every change to users and devices")
    .option("--verify [link]", "only check that the log is unchanged and still has the link you noted")
    .action((options: LogOptions) =>
      start(async (context) => (await import("../broker/ledger-log.ts")).brokerLog(context, options)),
    )
}
