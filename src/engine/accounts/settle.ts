import { settleChain } from "../../account/branches.ts"
import { isLive } from "../../account/account-chain.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { decodeIdentity } from "../../wire/identity.ts"
import { devicesOf } from "../contacts/devices.ts"
import { hasNoWords } from "../contacts/words.ts"
import type { Change } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { knownChain } from "./judge-shown.ts"
import { shownBy } from "./unfinished.ts"

/**
 * A contact whose fork is settled: their words were compared, those of the newest handshake [D-74]. Fault `refused` if no
 * handshake began since the fork, or it showed a head from before it.
 */
export function settled(
  state: EngineState,
  contact: ContactRecord,
): { readonly contact: ContactRecord; readonly changes: readonly Change[] } {
  const known = knownChain(state, contact)
  if (contact.lockedAt === 0 || known === undefined) return { contact, changes: [] }
  const heads = devicesOf(state, contact.id)
    .filter((device) => !hasNoWords(device))
    .map(({ id }) => shownBy(state, id))
    .filter((shown) => shown !== undefined && shown.at > contact.lockedAt && shown.until === 0)
    .sort((a, b) => (a?.at ?? 0) - (b?.at ?? 0))
  const head = heads.at(-1)?.head
  const next = head && settleChain(known, head)
  if (next === undefined) throw unsettled(contact)
  const { chain, rival, compared } = next
  return {
    contact: { ...contact, comparedLinks: compared, lockedAt: 0 },
    changes: [
      { kind: "account", contact: contact.id, chain, rival },
      ...devicesOf(state, contact.id)
        .filter(({ key }: DeviceRecord) => !isLive(chain, decodeIdentity(key)))
        .map(({ id }): Change => ({ kind: "forget-device", id })),
    ],
  }
}

function unsettled({ name }: ContactRecord): Fault {
  const why = `the account of ${name} was changed in two ways, and the words that you compare are older than that`
  return new Fault("refused", why, `pair with ${name} again first: mqttchat pair`)
}
