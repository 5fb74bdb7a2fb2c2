import { toHex } from "../../src/crypto/bytes.ts"
import { fingerprint, safetyNumber } from "../../src/wire/identity.ts"
import { counting } from "../recorded-random.ts"

const [ALICE, BOB] = [counting(0x80)(32), counting(3)(32)]

/** What two people read aloud of their account ids, and the name of a device's key. */
export function identityVectors() {
  return {
    about: "Fingerprints and safety numbers: clauses W-15 and W-16.",
    accounts: [ALICE, BOB].map((id) => ({ id: toHex(id), fingerprint: toHex(fingerprint(id)) })),
    device: { key: toHex(counting(7)(64)), fingerprint: toHex(fingerprint(counting(7)(64))) },
    safetyNumber: safetyNumber(ALICE, BOB),
  }
}
