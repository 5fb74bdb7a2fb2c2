import type { Command } from "commander"
import type { Start } from "../terminal/context.ts"
import type { ExportOptions } from "../profile/export.ts"
import type { ImportOptions } from "../profile/import.ts"

/** export, import. */
export function addBackups(program: Command, start: Start): void {
  program
    .command("export <file>")
    .description("write an encrypted backup of identity, contacts and conversations (- is stdout)")
    .option("--backup-passphrase-file <file>", "its own passphrase, if it is not that of your keys")
    .action((file: string, options: ExportOptions) =>
      start(async (context) => (await import("../profile/export.ts")).exportBackup(context, file, options)),
    )
  program
    .command("import <file>")
    .description("go on from a backup on this machine, in place of the one that it is from (- is stdin)")
    .option("--new-passphrase-file <file>", "another passphrase for the keys than that of the backup")
    .option("--no-passphrase", "do not lock the keys")
    .action((file: string, options: ImportOptions) =>
      start(async (context) => (await import("../profile/import.ts")).importBackup(context, file, options)),
    )
}
