import { makeVectors as accountVectors } from "./account/account-vectors.ts"
import { backupVectors } from "./backup/frozen.ts"
import { groupVectors } from "./group/group-vectors.ts"
import { keyFileVectors } from "./keystore/keyfile-vectors.ts"
import { pairingVectors } from "./pairing/frozen.ts"
import { makeComparisonVectors } from "./session/comparison-vectors.ts"
import { sessionVectors } from "./session/session-vectors.ts"
import { frameVectors } from "./wire/frame-vectors.ts"
import { identityVectors } from "./wire/identity-vectors.ts"
import { registrationVectors } from "./wire/registration-vectors.ts"

/** What makes each of our own files in test/vectors; `npm run vectors` writes them. */
export const VECTOR_FILES: Readonly<Record<string, () => unknown>> = {
  accounts: accountVectors,
  backup: backupVectors,
  comparison: makeComparisonVectors,
  frames: frameVectors,
  groups: groupVectors,
  identity: identityVectors,
  keyfile: keyFileVectors,
  pairing: pairingVectors,
  registration: registrationVectors,
  session: sessionVectors,
}
