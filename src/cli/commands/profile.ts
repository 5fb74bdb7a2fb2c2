import { type Command, Option } from "commander"
import type { DoctorOptions } from "../profile/doctor.ts"
import type { InitOptions } from "../profile/init.ts"
import { addExternalBrokers } from "./external-brokers.ts"
import { addBrokerBackups } from "./backup.ts"
import { addAdmin } from "./broker.ts"
import { connections, duration, port } from "./option-parsers.ts"
import type { PairOptions } from "../contacts/pair.ts"
import type { Start } from "../terminal/context.ts"
import type { BrokerOptions } from "../broker/serve.ts"
import type { WipeOptions } from "../profile/wipe.ts"

const STATUS_CODES =
  "\nExits with 0 when it is online, 75 when it is offline, 76 or 77 when the broker is refused or refuses, 78 without a profile or a broker. All but a missing broker or profile, and a device that another one has replaced, is tried again."

/** init, passwd, status, doctor, wipe. */
export function addProfile(program: Command, start: Start): void {
  program
    .command("init")
    .description("make your keys and choose your broker")
    .option("--name <name>", "your name, as contacts see it")
    .option("--no-passphrase", "do not lock the keys")
    .option("--broker <where>", "here, later, an invitation, or HOST[:PORT] (several: separated by commas)")
    .option("--pin <hex>", "pin of the broker's authority, if it is not publicly trusted")
    .option("--username <name>", "your account at the broker")
    .option("--password-file <file>", "its password (- is stdin)")
    .option("--insecure-transport", "the broker has no TLS: who talks when is open to the network")
    .option("--new-database", "the messages are lost: make an empty store for the keys that are there")
    .action((options: InitOptions) =>
      start(async (context) => (await import("../profile/init.ts")).init(context, options)),
    )
  program
    .command("passwd")
    .description("change the passphrase of your keys")
    .option("--new-passphrase-file <file>", "read the new one from a file")
    .option("--no-passphrase", "remove the passphrase")
    .action((options: { newPassphraseFile?: string; passphrase: boolean }) =>
      start(async (context) => (await import("../profile/passwd.ts")).passwd(context, options)),
    )
  program
    .command("status")
    .description("show broker, connection, daemon, unread messages and outbox of this profile")
    .addHelpText("after", STATUS_CODES)
    .action(() => start(async (context) => (await import("../profile/status.ts")).status(context)))
  program
    .command("doctor")
    .description("check this laptop, the way to the broker, and what its members could do to each other")
    .addHelpText(
      "after",
      "\nExits with 0 if nothing is wrong, 1 if something is weak, else with the code of the worst finding.",
    )
    .option("--register", "register two devices called doctor, which play the members")
    .option(
      "--accept-ledger",
      "the broker's ledger counts as it is now, such as after an older copy was put back",
    )
    .action((options: DoctorOptions) =>
      start(async (context) => (await import("../profile/doctor.ts")).doctor(context, options)),
    )
  program
    .command("wipe")
    .description("destroy this profile on this laptop, its keys first")
    .option("--yes <profile>", "do not ask; name the profile to destroy")
    .option("--broker-too", "also destroy the keys, members and queues of this laptop's broker")
    .option("--dry-run", "only list what would be deleted")
    .addHelpText(
      "after",
      "\nContacts and the operator of the broker are not told: mqttchat broker revoke shuts the device out.",
    )
    .action((options: WipeOptions) =>
      start(async (context) => (await import("../profile/wipe.ts")).wipe(context, options)),
    )
}

type BrokerFlags = BrokerOptions & { readonly service?: string | true }

/** broker. */
export function addBroker(program: Command, start: Start): void {
  const broker = program
    .command("broker")
    .description("run a broker on this laptop until Ctrl+C")
    .option("--lan", "for everyone on this network")
    .option("--loopback", "for this laptop only")
    .option("--listen <address>", "on one address of this laptop")
    .option("--port <number>", "default: 8883", port)
    .option("--new-authority", "the keys are lost: make new ones; everyone has to register again")
    .option("--wss [port]", "also serve MQTT over WebSocket, on port 8084", port)
    .option("--per-address <number>", "connections allowed from one address (64)", connections)
    .option("--metrics [port]", "metrics for Prometheus on this laptop, on port 9883", port)
    .option("--service [file]", "do not run; write a systemd unit (- is stdout)")
    .option("--watch", "print the topic and size of each message that passes")
    .action((options: BrokerFlags) => serve(options))
  const serve = (options: BrokerFlags): void =>
    start(async (context) => {
      if (options.service === undefined)
        await (await import("../broker/serve.ts")).serveBroker(context, options)
      else await (await import("../broker/service.ts")).writeService(context, options.service, options)
    })
  broker
    .command("up")
    .description("the same as broker")
    .action(() => serve(broker.opts<BrokerFlags>()))
  broker
    .command("status")
    .description("show connections, queues, rates and certificates of the running broker")
    .action(() => start(async (context) => (await import("../broker/status.ts")).brokerStatus(context)))
  addAdmin(broker, start)
  addBrokerBackups(broker, start)
  addExternalBrokers(broker, start)
}

/** pair, verify. */
export function addPairing(program: Command, start: Start): void {
  program
    .command("pair [offer]")
    .description("add a contact: offer a code, a link or a file, or answer one")
    .option("--link", "offer a link instead of a code")
    .option("--file <out>", "offer a file instead (- is stdout)")
    .addOption(new Option("--words <number>", "words in the code").choices(["2", "3"]).default("2"))
    .option("--list", "list the offers that can still be answered")
    .option("--cancel <id>", "end one of them")
    .option("--no-qr", "show no QR code of a link")
    .option("--name <name>", "your name for the new contact")
    .option("--my-name <name>", "your name, if this also makes your profile")
    .option("--no-passphrase", "do not lock the keys, if this also makes your profile")
    .option("--insecure-transport", "the broker has no TLS: who talks when is open to the network")
    .option("--timeout <time>", "how long to wait for a broker that is new here (30s)", duration)
    .addHelpText(
      "after",
      "\nThe offer is CODE@HOST[:PORT], CODE, a link, the name of a file, or - for any of them on stdin.\n" +
        "A code ends with this command. A link or a file can be answered for a week, whenever mqttchat runs here, also\n" +
        "if you make another offer meanwhile.",
    )
    .action((carrier: string | undefined, options: PairFlags) =>
      start(async (context) => {
        const { pairOrJoin, manageOffers } = await import("../contacts/pair-or-join.ts")
        if (options.list === true || options.cancel !== undefined) {
          await manageOffers(context, options.cancel)
          return
        }
        const pairOptions = { ...options, words: options.words === "3" ? (3 as const) : (2 as const) }
        await pairOrJoin(context, carrier, pairOptions)
      }),
    )
  program
    .command("verify <name>")
    .description("show the safety number to compare with a contact, and mark them VERIFIED")
    .option("--yes", "you have compared it and it is the same")
    .action((contact: string, { yes = false }: { yes?: boolean }) =>
      start(async (context) =>
        (await import("../contacts/pair-or-join.ts")).verify(context, { contact, confirmed: yes }),
      ),
    )
}

type PairFlags = Omit<PairOptions, "words"> & {
  readonly list?: boolean
  readonly cancel?: string
  readonly words: string
  readonly myName?: string
  readonly passphrase: boolean
}
