import type { Command } from "commander"
import type { Start } from "../terminal/context.ts"
import type { ExportOptions } from "../profile/export.ts"
import type { ImportOptions } from "../profile/import.ts"

/** export, import. */
export function addBackups(program: Command, start: Start): void {
  program
    .command("export <file>")
    .description("back up identity, contacts and conversations to an encrypted file (- is stdout)")
    .option("--backup-passphrase-file <file>", "a passphrase for the backup, if not that of your keys")
    .action((file: string, options: ExportOptions) =>
      start(async (context) => (await import("../profile/export.ts")).exportBackup(context, file, options)),
    )
  program
    .command("import <file>")
    .description("restore a backup here; the machine it came from is replaced (- is stdin)")
    .option("--new-passphrase-file <file>", "a passphrase for the keys, if not that of the backup")
    .option("--no-passphrase", "do not lock the keys")
    .action((file: string, options: ImportOptions) =>
      start(async (context) => (await import("../profile/import.ts")).importBackup(context, file, options)),
    )
}
