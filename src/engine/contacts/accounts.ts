import { equal } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import type { ContactRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"

/** Faults `unavailable` while a contact has not shown its account: there is nothing to name them by. */
export function accountIdOf({ accountId, name }: ContactRecord): Uint8Array {
  if (accountId !== undefined) return accountId
  const why = `the pairing with ${name} is not finished`
  throw new Fault("unavailable", why, shellCommand`mqttchat contacts` + ", then try again later")
}

export function isOwnAccount({ ownChain }: EngineState, accountId: Uint8Array): boolean {
  return ownChain !== undefined && equal(ownChain.accountId, accountId)
}
