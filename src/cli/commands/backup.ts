import type { Command } from "commander"
import type { Start } from "../terminal/context.ts"
import type { BrokerExportOptions } from "../broker/export.ts"
import type { BrokerImportOptions } from "../broker/import.ts"
import type { ExportOptions } from "../profile/export.ts"
import type { KeyLockOptions } from "../terminal/sealed-input.ts"

/** export, import. */
export function addBackups(program: Command, start: Start): void {
  program
    .command("export <file>")
    .description("back up identity, contacts and conversations to an encrypted file (- is stdout)")
    .option("--backup-passphrase-file <file>", "a passphrase for the backup, if not that of your keys")
    .addHelpText(
      "after",
      "\nMake a new one each month: where contacts write to you and you to them changes with time, and with those of an older backup you may have to pair again.",
    )
    .action((file: string, options: ExportOptions) =>
      start(async (context) => (await import("../profile/export.ts")).exportBackup(context, file, options)),
    )
  program
    .command("import <file>")
    .description("restore a backup here; the machine it came from is replaced (- is stdin)")
    .option("--new-passphrase-file <file>", "a passphrase for the keys, if not that of the backup")
    .option("--no-passphrase", "do not lock the keys")
    .action((file: string, options: KeyLockOptions) =>
      start(async (context) => (await import("../profile/import.ts")).importBackup(context, file, options)),
    )
}

/** broker export, broker import. */
export function addBrokerBackups(broker: Command, start: Start): void {
  broker
    .command("export <file>")
    .description("back up this broker to an encrypted file: its keys, its users, its settings (- is stdout)")
    .option("--queues", "also what waits for devices that are away")
    .option(
      "--backup-passphrase-file <file>",
      "a passphrase for the export, if not that of the broker's keys",
    )
    .addHelpText("after", "\nThe broker may be running meanwhile.")
    .action((file: string, options: BrokerExportOptions) =>
      start(async (context) => (await import("../broker/export.ts")).exportBroker(context, file, options)),
    )
  broker
    .command("import <file>")
    .description("go on with the broker of an export here; its devices need not register again (- is stdin)")
    .option("--replace", "in place of the broker that is here, whose folder is kept")
    .option("--new-passphrase-file <file>", "a passphrase for the keys, if not that of the export")
    .option("--no-passphrase", "do not lock the keys")
    .addHelpText(
      "after",
      "\nThe keys are locked as they were. Devices that meet both the old and the new broker notice it.",
    )
    .action((file: string, options: BrokerImportOptions) =>
      start(async (context) => (await import("../broker/import.ts")).importBroker(context, file, options)),
    )
}
