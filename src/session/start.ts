import { wipe } from "../crypto/bytes.ts"
import type { HeaderKey, PublicKey, Random, RootKey } from "../crypto/bytes.ts"
import { agree, boxKeyPair } from "../crypto/nacl.ts"
import { rootStep, tagBlock, windowFrom } from "./chain.ts"
import { speaking, waiting } from "./state-updates.ts"
import type { PqState, RatchetPair, Role, Speaking, Waiting } from "./state.ts"

/** The handshake's output for the ratchet. */
export type Agreed = {
  readonly transcript: Uint8Array
  readonly root: RootKey
  /** Header keys of the initiator's first chain and of the responder's. */
  readonly initiatorHeaderKey: HeaderKey
  readonly responderHeaderKey: HeaderKey
}

const NO_STEP: PqState = {
  lastId: 0,
  step: { kind: "idle" },
  promised: undefined,
  lastAnswered: 0,
  messages: 0,
  since: 0,
}

/** The initiator can send at once (Double Ratchet sections 4.4 and 5.1); undefined for a prekey of low order [S-24]. */
export function startInitiator(agreed: Agreed, prekey: PublicKey, random: Random): Speaking | undefined {
  const own = boxKeyPair(random)
  const secret = agree(own.secretKey, prekey)
  if (secret === undefined) return undefined
  const step = rootStep(agreed.root, secret, undefined)
  wipe(secret)
  const headerKey = agreed.initiatorHeaderKey
  const { root, chainKey, nextHeaderKey } = step
  const start = base("initiator", agreed.transcript, agreed.responderHeaderKey)
  return speaking({ ...start, root, nextHeaderKey }, own, {
    headerKey,
    chainKey,
    sent: 0,
    previous: 0,
    kem: 0,
    tags: tagBlock(headerKey, 0),
  })
}

/** The responder's first ratchet key is its prekey; it cannot send before it has received [S-24]. */
export function startResponder(agreed: Agreed, prekey: RatchetPair): Waiting {
  const { root, responderHeaderKey } = agreed
  const start = base("responder", agreed.transcript, agreed.initiatorHeaderKey)
  return waiting({ ...start, root, nextHeaderKey: responderHeaderKey }, prekey)
}

function base(role: Role, transcript: Uint8Array, upcoming: HeaderKey) {
  return {
    role,
    transcript,
    receiving: undefined,
    upcoming: { headerKey: upcoming, window: windowFrom(upcoming, 0) },
    skipped: [],
    pq: NO_STEP,
  }
}
