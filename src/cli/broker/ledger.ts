import { join } from "node:path"
import type { Ledger } from "../../registrar/ledger.ts"
import type { Context } from "../terminal/context.ts"

/** The queues of the embedded broker, in its folder. */
export const JOURNAL_FILE = "queues.journal"

export function ledgerFile({ paths }: Pick<Context, "paths">): string {
  return join(paths.broker, "registrar.ledger")
}

/** Made before the keys: if only keys are found, a ledger is gone. */
export async function makeLedger(context: Pick<Context, "paths">): Promise<void> {
  const { openLedger } = await import("../../registrar/ledger.ts")
  await (await openLedger(ledgerFile(context))).close()
}

/** The record of who was admitted, until the command ends. The caller holds the broker's lock. */
export async function holdLedger(context: Context): Promise<Ledger> {
  const { openLedger } = await import("../../registrar/ledger.ts")
  const ledger = await openLedger(ledgerFile(context))
  context.lifetime.defer(ledger.close)
  return ledger
}
