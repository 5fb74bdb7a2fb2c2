import { toHex } from "../../src/crypto/bytes.ts"
import { fourWords } from "../../src/pairing/words.ts"
import {
  answer,
  commit,
  commitmentTo,
  encodeComparison,
  newNonce,
  onShare,
  wordsOf,
  type AccountHead,
} from "../../src/session/comparison.ts"
import { seededRandom } from "./session-fixture.ts"

const SEED = "comparison vectors, version 1"

/** One comparison with its secrets: what goes over the wire, what both sides store, and the words. */
export function makeComparisonVectors() {
  const random = seededRandom(SEED)
  const [sas, nonceOfInitiator, nonceOfOwner] = [random(32), newNonce(random), newNonce(random)]
  const [initiator, owner] = [accountHead(), accountHead()]
  const share = commitmentTo(nonceOfInitiator)
  const committed = commit(sas, nonceOfInitiator, initiator)
  const answered = answer(sas, { nonce: nonceOfOwner, commitment: share, initiator, owner, metBefore: false })
  const complete = onShare(committed, nonceOfOwner, owner)
  const words = wordsOf(complete) ?? new Uint8Array()
  return {
    seed: SEED,
    sas: toHex(sas),
    nonceOfInitiator: toHex(nonceOfInitiator),
    nonceOfOwner: toHex(nonceOfOwner),
    initiator: inHex(initiator),
    owner: inHex(owner),
    shareOfInitiator: toHex(share),
    shareOfOwner: toHex(nonceOfOwner),
    words: toHex(words),
    fourWords: fourWords(words).join(" "),
    stored: {
      committed: toHex(encodeComparison(committed)),
      answered: toHex(encodeComparison(answered)),
      complete: toHex(encodeComparison(complete)),
    },
  }

  function accountHead(): AccountHead {
    return { account: random(32), head: random(32) }
  }
}

function inHex({ account, head }: AccountHead) {
  return { account: toHex(account), head: toHex(head) }
}
