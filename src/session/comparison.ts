import { concat, equal, utf8, type Random } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { decode, Writer, type Reader } from "../wire/codec.ts"

/** A nonce, its commitment and the words' bytes; also an account id and a head. */
const SHARE_BYTES = KEY_BYTES

const COMMITMENT_LABEL = utf8("mqttchat/1 sas")
const WORDS_LABEL = utf8("mqttchat/1 words")
const KINDS = ["committed", "answered", "complete"] as const

/** Who a side of the handshake is, as its HELLO says: account id 32, and head 32 of its chain. */
export type AccountHead = { readonly account: Uint8Array; readonly head: Uint8Array }

/** How far one side of a session is on the way to the words that two people compare [S-60]. */
export type Comparison = Committed | Answered | Complete

/** The initiator: its nonce is committed to, and the owner's share is not here. */
export type Committed = {
  readonly kind: "committed"
  readonly sas: Uint8Array
  readonly nonce: Uint8Array
  readonly own: AccountHead
}

/** The owner: its share is out, and the initiator has not opened its commitment. */
export type Answered = {
  readonly kind: "answered"
  readonly sas: Uint8Array
  /** Ours. */
  readonly nonce: Uint8Array
  /** The initiator's share. */
  readonly commitment: Uint8Array
  readonly initiator: AccountHead
  readonly owner: AccountHead
  /** Whether the initiator was known before: then it stays when it opens wrongly. */
  readonly metBefore: boolean
}

/** 32 bytes, the same on both sides, whose first 44 bits are the words. */
export type Complete = { readonly kind: "complete"; readonly words: Uint8Array }

/** The transitions of a comparison; whatever else comes changes nothing [S-61]. */
export const COMPARISON_TRANSITIONS = {
  committed: { "the owner's share comes": "complete" },
  answered: { "the commitment is opened": "complete" },
  complete: {},
} as const satisfies Record<Comparison["kind"], Readonly<Record<string, Comparison["kind"]>>>

export type Opening =
  | { readonly kind: "heard"; readonly next: Comparison }
  /** Not what was committed to: the session ends [S-63]. */
  | { readonly kind: "refused"; readonly why: "wrong-opening" }

/** 32 random bytes: new for each INIT that we make, and for each one that we accept [S-60]. */
export function newNonce(random: Random): Uint8Array {
  return random(SHARE_BYTES)
}

/** The initiator's share: it fixes the nonce before the owner's is known, and does not tell it [S-60]. */
export function commitmentTo(nonce: Uint8Array): Uint8Array {
  return hash32(COMMITMENT_LABEL, nonce)
}

export function commit(sas: Uint8Array, nonce: Uint8Array, own: AccountHead): Committed {
  return { kind: "committed", sas, nonce, own }
}

export function answer(sas: Uint8Array, answered: Omit<Answered, "kind" | "sas">): Answered {
  return { kind: "answered", sas, ...answered }
}

/** The owner's share, which is its nonce; only the first one of a session counts [S-61]. */
export function onShare(comparison: Comparison, share: Uint8Array, owner: AccountHead): Comparison {
  if (comparison.kind !== "committed") return comparison
  const { sas, nonce, own } = comparison
  return complete(sas, concat(nonce, share), { initiator: own, owner })
}

/** The initiator's nonce; only the first one of a session counts [S-61]. */
export function onOpening(comparison: Comparison, nonce: Uint8Array): Opening {
  if (comparison.kind !== "answered") return { kind: "heard", next: comparison }
  if (!equal(commitmentTo(nonce), comparison.commitment)) return { kind: "refused", why: "wrong-opening" }
  return { kind: "heard", next: complete(comparison.sas, concat(nonce, comparison.nonce), comparison) }
}

/** [S-62] */
function complete(
  sas: Uint8Array,
  nonces: Uint8Array,
  { initiator, owner }: Pick<Answered, "initiator" | "owner">,
): Complete {
  const label = concat(WORDS_LABEL, initiator.account, initiator.head, owner.account, owner.head)
  return { kind: "complete", words: kdf(sas, nonces, label, KEY_BYTES) }
}

/** The 32 bytes of the words, or undefined while a share is missing. */
export function wordsOf(comparison: Comparison): Uint8Array | undefined {
  return comparison.kind === "complete" ? comparison.words : undefined
}

/** For our own store; the bytes hold the handshake's SAS until the words are known. */
export function encodeComparison(comparison: Comparison): Uint8Array {
  const writer = new Writer().u8(KINDS.indexOf(comparison.kind))
  switch (comparison.kind) {
    case "committed":
      return writeHead(writer.bytes(comparison.sas).bytes(comparison.nonce), comparison.own).done()
    case "answered":
      writer.bytes(comparison.sas).bytes(comparison.nonce).bytes(comparison.commitment)
      return writeHead(writeHead(writer, comparison.initiator), comparison.owner)
        .u8(comparison.metBefore ? 1 : 0)
        .done()
    case "complete":
      return writer.bytes(comparison.words).done()
  }
}

/** The comparison, or undefined for bytes that `encodeComparison` does not write. */
export function decodeComparison(bytes: Uint8Array): Comparison | undefined {
  return decode(bytes, (reader) => {
    const kind = KINDS[reader.u8()]
    switch (kind) {
      case "committed":
        return { kind, sas: share(reader), nonce: share(reader), own: readHead(reader) }
      case "answered":
        return {
          ...{ kind, sas: share(reader), nonce: share(reader), commitment: share(reader) },
          ...{ initiator: readHead(reader), owner: readHead(reader), metBefore: reader.flag() },
        }
      case "complete":
        return { kind, words: share(reader) }
      case undefined:
        return undefined
    }
  })
}

function writeHead(writer: Writer, { account, head }: AccountHead): Writer {
  return writer.bytes(account).bytes(head)
}

function readHead(reader: Reader): AccountHead {
  return { account: share(reader), head: share(reader) }
}

function share(reader: Reader): Uint8Array {
  return reader.bytes(SHARE_BYTES)
}
