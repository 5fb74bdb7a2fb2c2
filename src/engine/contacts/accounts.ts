import { equal, utf8 } from "../../crypto/bytes.ts"
import { hash32 } from "../../crypto/kdf.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { devicesOf } from "./devices.ts"

const LABEL = utf8("mqttchat/1 account")
const NONE = new Uint8Array(0)

/** The account id of a contact, 32 bytes. */
export function accountOf(state: EngineState, contact: ContactId): Uint8Array {
  const [first] = devicesOf(state, contact)
  return first === undefined ? NONE : hash32(LABEL, first.key)
}

/** That of the account whose device this is. */
export function accountOfDevice(identity: PublicIdentity): Uint8Array {
  return hash32(LABEL, encodeIdentity(identity))
}

export function findAccount(state: EngineState, account: Uint8Array): ContactRecord | undefined {
  for (const contact of state.contacts.values())
    if (equal(accountOf(state, contact.id), account)) return contact
  return undefined
}
