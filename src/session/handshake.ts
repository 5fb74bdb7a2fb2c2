import { concat, equal, utf8, wipe } from "../crypto/bytes.ts"
import type { HeaderKey, KemCiphertext, Psk, PublicKey } from "../crypto/bytes.ts"
import type { Random, RecoverySecret, RootKey, SharedSecret } from "../crypto/bytes.ts"
import { isVerifyKey } from "../crypto/ed25519.ts"
import { expand, kdf } from "../crypto/kdf.ts"
import { decapsulate, encapsulate } from "../crypto/mlkem.ts"
import { agree, boxKeyPair, hash, hmac } from "../crypto/nacl.ts"
import { open as openBox, seal as sealBox } from "../crypto/nacl.ts"
import { NONCE_BYTES, BOX_OVERHEAD, KEM_CIPHERTEXT_BYTES, KEY_BYTES } from "../crypto/sizes.ts"
import { decode } from "../wire/codec.ts"
import type { Frame } from "../wire/frame.ts"
import { IDENTITY_BYTES, decodeIdentity, encodeIdentity } from "../wire/identity.ts"
import type { IdentityKeys, PublicIdentity } from "../wire/identity.ts"
import { ID_BYTES } from "../wire/topics.ts"
import type { Inbox } from "../wire/topics.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import type { Bundle, OpenBundle } from "./bundle.ts"
import { open, seal } from "./ratchet.ts"
import { startInitiator, startResponder } from "./start.ts"
import type { Agreed } from "./start.ts"
import type { Session } from "./state.ts"

/** How the initiator received the bundle; part of the transcript [S-10]. */
export const MODE = { code: 1, link: 2, file: 3, recovery: 4, introduction: 5 } as const
export type Mode = (typeof MODE)[keyof typeof MODE]

/** The length of every INIT: one bucket. */
export const INIT_BYTES = 4096
const FIRST_MESSAGE_BYTES = 2048
const ZEROS = new Uint8Array(16)
const IDENTITY_PLAIN_BYTES = IDENTITY_BYTES + 2 * ID_BYTES + ZEROS.length
const SEALED_IDENTITY_BYTES = IDENTITY_PLAIN_BYTES + BOX_OVERHEAD
const FILLING_BYTES =
  INIT_BYTES - (TAG_BYTES + KEY_BYTES + KEM_CIPHERTEXT_BYTES + SEALED_IDENTITY_BYTES + FIRST_MESSAGE_BYTES)
/** The key it is used with seals only one message. */
const NO_NONCE = new Uint8Array(NONCE_BYTES)
const NO_SALT = new Uint8Array(0)
/** A first message overtakes none, so no skipped key needs a date. */
const UNDATED = 0

/** What both sides hold after a handshake. */
export type Established = {
  readonly session: Session
  readonly peer: PublicIdentity
  /** Where the peer receives. */
  readonly peerInbox: Inbox
  /** 32 bytes from which both sides make the words to compare. */
  readonly sas: Uint8Array
  readonly recoverySecret: RecoverySecret
}

export type Initiation = {
  readonly identity: IdentityKeys
  /** Where we shall receive from the bundle's owner. */
  readonly inbox: Inbox
  readonly bundle: Bundle
  readonly psk: Psk
  readonly mode: Mode
  /** Exactly a HELLO. */
  readonly frames: readonly Frame[]
}

export type Initiated =
  /** `init` is 4096 bytes, `mid` 16: the id of the message inside. */
  | {
      readonly kind: "initiated"
      readonly established: Established
      readonly init: Uint8Array
      readonly mid: Uint8Array
    }
  | { readonly kind: "refused"; readonly why: "own-bundle" | "weak-key" | "no-hello" }

export type Response = {
  readonly identity: IdentityKeys
  readonly open: OpenBundle
  readonly psk: Psk
  readonly mode: Mode
}

export type Responded =
  | {
      readonly kind: "accepted"
      readonly established: Established
      readonly frames: readonly Frame[]
      readonly mid: Uint8Array
    }
  | {
      readonly kind: "refused"
      readonly why: "malformed" | "unknown-tag" | "weak-key" | "forged" | "own-identity"
    }

/** The 16 bytes by which the owner finds the bundle that an INIT answers [S-11]. */
export function initTag(psk: Psk, bundleHash: Uint8Array): Uint8Array {
  return hmac(psk, utf8("mqttchat/1 init tag"), bundleHash).slice(0, TAG_BYTES)
}

/** For links and files: anyone with the bundle's hash may answer it [S-4]. */
export function linkPsk(bundleHash: Uint8Array): Psk {
  return kdf(NO_SALT, bundleHash, utf8("mqttchat/1 psk link"), KEY_BYTES) as Psk
}

/** For a recovery: only the peer of the earlier handshake may answer [S-4]. */
export function recoveryPsk(bundleHash: Uint8Array, secret: RecoverySecret): Psk {
  return kdf(bundleHash, secret, utf8("mqttchat/1 psk recovery"), KEY_BYTES) as Psk
}

/** The account ids, 32 bytes each, of an introduction: who introduced, who answers the bundle, and whose bundle it is. */
export type IntroducedAccounts = {
  readonly introducer: Uint8Array
  readonly initiator: Uint8Array
  readonly owner: Uint8Array
}

/** For an introduction: it binds all three accounts, so another account's INIT has another tag [S-4]. */
export function introductionPsk(bundleHash: Uint8Array, accounts: IntroducedAccounts): Psk {
  const { introducer, initiator, owner } = accounts
  const input = concat(introducer, initiator, owner)
  return kdf(bundleHash, input, utf8("mqttchat/1 psk introduction"), KEY_BYTES) as Psk
}

/** Answers a bundle that `readBundle` has accepted (X3DH section 3.3, PQXDH section 3.3) [S-12]. */
export function initiate(initiation: Initiation, random: Random): Initiated {
  const { identity, inbox, bundle, psk, mode, frames } = initiation
  if (equal(encodeIdentity(bundle.owner), encodeIdentity(identity.public))) {
    return { kind: "refused", why: "own-bundle" }
  }
  const ephemeral = boxKeyPair(random)
  const encapsulated = encapsulate(bundle.encapsulationKey, random)
  const dh2 = agree(ephemeral.secretKey, bundle.owner.box)
  const dh3 = agree(ephemeral.secretKey, bundle.prekey)
  const dh1 = agree(identity.boxSecret, bundle.prekey)
  wipe(ephemeral.secretKey)
  if (!encapsulated || !dh1 || !dh2 || !dh3) return { kind: "refused", why: "weak-key" }
  const publicPart = { mode, bundle, ephemeral: ephemeral.publicKey, ciphertext: encapsulated.ciphertext }
  const first = firstHalf(psk, [dh2, dh3, encapsulated.secret], publicPart)
  const sealedIdentity = sealBox(encodeIdentityPart(identity.public, inbox), NO_NONCE, first.identityKey)
  const agreed = secondHalf(first, sealedIdentity, dh1)
  const session = startInitiator(agreed, bundle.prekey, random)
  if (session === undefined) return { kind: "refused", why: "weak-key" }
  const message = seal(session, frames, random)
  if (message.kind === "refused" || message.wire.length !== FIRST_MESSAGE_BYTES) {
    return { kind: "refused", why: "no-hello" }
  }
  const init = concat(
    initTag(psk, bundle.hash),
    ephemeral.publicKey,
    encapsulated.ciphertext,
    sealedIdentity,
    message.wire,
    random(FILLING_BYTES),
  )
  const { sas, recoverySecret } = agreed
  const established = {
    session: message.next,
    peer: bundle.owner,
    peerInbox: bundle.inbox,
    sas,
    recoverySecret,
  }
  return { kind: "initiated", established, init, mid: message.mid }
}

/**
 * Accepts the INIT that answers a bundle of ours (X3DH section 3.4, PQXDH section 3.4) [S-13]. A refusal leaves the bundle
 * valid; once an INIT is accepted, the caller deletes a one-time bundle in the commit that creates the contact.
 */
export function respond({ identity, open: own, psk, mode }: Response, init: Uint8Array): Responded {
  const fields = decodeInit(init)
  if (fields === undefined) return { kind: "refused", why: "malformed" }
  const { bundle, prekeySecret, kemSeed } = own
  if (!equal(fields.tag, initTag(psk, bundle.hash))) return { kind: "refused", why: "unknown-tag" }
  const dh2 = agree(identity.boxSecret, fields.ephemeral)
  const dh3 = agree(prekeySecret, fields.ephemeral)
  if (!dh2 || !dh3) return { kind: "refused", why: "weak-key" }
  const secret = decapsulate(kemSeed, fields.ciphertext)
  const first = firstHalf(psk, [dh2, dh3, secret], { ...fields, mode, bundle })
  const initiator = openIdentityPart(fields.sealedIdentity, first.identityKey)
  if (initiator === undefined) return { kind: "refused", why: "forged" }
  if (equal(encodeIdentity(initiator.peer), encodeIdentity(identity.public))) {
    return { kind: "refused", why: "own-identity" }
  }
  const dh1 = agree(prekeySecret, initiator.peer.box)
  if (!dh1 || !isVerifyKey(initiator.peer.sign)) return { kind: "refused", why: "weak-key" }
  const agreed = secondHalf(first, fields.sealedIdentity, dh1)
  const session = startResponder(agreed, { secretKey: prekeySecret, publicKey: bundle.prekey })
  const message = open(session, fields.message, UNDATED)
  if (message.kind === "refused") return { kind: "refused", why: "forged" }
  const { sas, recoverySecret } = agreed
  const established = { session: message.next, ...initiator, sas, recoverySecret }
  return { kind: "accepted", established, frames: message.frames, mid: message.mid }
}

type PublicPart = {
  readonly mode: Mode
  readonly bundle: Bundle
  readonly ephemeral: PublicKey
  readonly ciphertext: KemCiphertext
}

type FirstHalf = {
  readonly prk: Uint8Array
  readonly transcript: Uint8Array
  readonly identityKey: Uint8Array
}

/** The keys that both can derive before the initiator's identity is known; the secrets are wiped. */
function firstHalf(psk: Psk, secrets: readonly SharedSecret[], part: PublicPart): FirstHalf {
  const { mode, bundle, ephemeral, ciphertext } = part
  const transcript = hash(utf8("mqttchat/1 hs1"), Uint8Array.of(mode), bundle.bytes, ephemeral, ciphertext)
  const prk = hmac(psk, ...secrets)
  wipe(...secrets)
  return { prk, transcript, identityKey: expand(prk, concat(utf8("mqttchat/1 id"), transcript), KEY_BYTES) }
}

/** The session's keys, with the initiator's identity mixed in twice: by its agreement and by the transcript. */
function secondHalf(first: FirstHalf, sealedIdentity: Uint8Array, dh1: SharedSecret) {
  const transcript = hash(utf8("mqttchat/1 hs2"), first.transcript, sealedIdentity)
  const prk = hmac(first.prk, dh1)
  const keys = expand(prk, concat(utf8("mqttchat/1 session"), transcript), 5 * KEY_BYTES)
  const key = (index: number) => keys.slice(index * KEY_BYTES, (index + 1) * KEY_BYTES)
  const agreed: Agreed & { sas: Uint8Array; recoverySecret: RecoverySecret } = {
    transcript: transcript.slice(0, KEY_BYTES),
    root: key(0) as RootKey,
    initiatorHeaderKey: key(1) as HeaderKey,
    responderHeaderKey: key(2) as HeaderKey,
    recoverySecret: key(3) as RecoverySecret,
    sas: key(4),
  }
  wipe(first.prk, first.identityKey, prk, keys, dh1)
  return agreed
}

function encodeIdentityPart(peer: PublicIdentity, inbox: Inbox): Uint8Array {
  return concat(encodeIdentity(peer), inbox.device, inbox.mailbox, ZEROS)
}

function openIdentityPart(
  sealed: Uint8Array,
  key: Uint8Array,
): { peer: PublicIdentity; peerInbox: Inbox } | undefined {
  const plain = openBox(sealed, NO_NONCE, key)
  if (plain === undefined) return undefined
  return decode(plain, (reader) => {
    const peer = decodeIdentity(reader.bytes(IDENTITY_BYTES))
    const peerInbox = { device: reader.bytes(ID_BYTES), mailbox: reader.bytes(ID_BYTES) }
    if (!equal(reader.bytes(ZEROS.length), ZEROS)) reader.refuse()
    return { peer, peerInbox }
  })
}

function decodeInit(init: Uint8Array) {
  return decode(init, (reader) => {
    const fields = {
      tag: reader.bytes(TAG_BYTES),
      ephemeral: reader.bytes(KEY_BYTES) as PublicKey,
      ciphertext: reader.bytes(KEM_CIPHERTEXT_BYTES) as KemCiphertext,
      sealedIdentity: reader.bytes(SEALED_IDENTITY_BYTES),
      message: reader.bytes(FIRST_MESSAGE_BYTES),
    }
    reader.bytes(FILLING_BYTES)
    return fields
  })
}
