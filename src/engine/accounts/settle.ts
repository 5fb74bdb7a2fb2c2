import { settleChain } from "../../account/branches.ts"
import { isLive } from "../../account/account-chain.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord } from "../../store/records.ts"
import { decodeIdentity } from "../../wire/identity.ts"
import { devicesOf } from "../contacts/devices.ts"
import { endDeliveries } from "../contacts/end-deliveries.ts"
import type { Change, Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { StepInput } from "../state/update.ts"
import { comparedDevice } from "./compared-device.ts"
import { knownChain } from "./judge-shown.ts"
import { shownBy } from "../contacts/shown-account.ts"

type Settled = { readonly contact: ContactRecord } & Pick<Decision<null>, "commit" | "effects">

/**
 * A contact whose words were compared: the links behind the head that was shown count from now on. A fork is settled: their words were compared, those that `verify` shows [D-74]. Fault `refused` if no
 * handshake began since the fork, or it showed a head from before it.
 */
export function settled(state: EngineState, contact: ContactRecord, input: StepInput): Settled {
  const known = knownChain(state, contact)
  if (known === undefined) return { contact, commit: [], effects: [] }
  const compared = comparedDevice(state, contact)
  const shown = compared && shownBy(state, compared.id)
  if (contact.lockedAt === 0) {
    const links = shown && settleChain(known, shown.head)?.compared
    return { contact: { ...contact, comparedLinks: links ?? contact.comparedLinks }, commit: [], effects: [] }
  }
  const next = shown && shown.at > contact.lockedAt ? settleChain(known, shown.head) : undefined
  if (next === undefined) throw unsettled(contact)
  const { chain, rival } = next
  const ended = devicesOf(state, contact.id).filter(({ key }) => !isLive(chain, decodeIdentity(key)))
  const deliveries = endDeliveries(state, { contact, ended, gone: ended }, input)
  return {
    contact: { ...contact, comparedLinks: next.compared, lockedAt: 0 },
    commit: [
      { kind: "account", contact: contact.id, chain, rival },
      ...deliveries.commit,
      ...ended.map(({ id }): Change => ({ kind: "forget-device", id })),
    ],
    effects: deliveries.effects,
  }
}

function unsettled({ name }: ContactRecord): Fault {
  const why = `the account of ${name} was changed in two ways, and the words that you compare are older than that`
  return new Fault("refused", why, `pair with ${name} again first: mqttchat pair`)
}
