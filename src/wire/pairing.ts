import type { PublicKey } from "../crypto/bytes.ts"
import { KEY_BYTES, NONCE_BYTES } from "../crypto/sizes.ts"
import { decode, type Reader, Writer } from "./codec.ts"

export const SID_BYTES = 16
export const CONFIRMATION_BYTES = 32
const VERSION = 1
const GUEST = 1
/** A bundle of 1402, the longest access and the 16 of the box are 2721; there is no need for more than this. */
export const GRANT_BYTES_MAX = 4096

/** Messages of the two parties of a code on its nameplate; the first byte is the kind [W-41]. */
export type PairingMessage =
  /** The owner of a code holds this nameplate. */
  | { readonly kind: "claim"; readonly owner: Uint8Array }
  /** The code was typed; `guest` has no credential at this broker and needs an invitation. */
  | {
      readonly kind: "answer"
      readonly guest: boolean
      readonly owner: Uint8Array
      readonly caller: Uint8Array
      readonly share: PublicKey
    }
  /** The owner's share for this caller. It tells nothing about the code. */
  | { readonly kind: "share"; readonly caller: Uint8Array; readonly share: PublicKey }
  /** The owner's proof, and a box that only a caller with the same code can open. */
  | {
      readonly kind: "grant"
      readonly caller: Uint8Array
      readonly proof: Uint8Array
      readonly nonce: Uint8Array
      readonly box: Uint8Array
    }
  /** The caller's proof. */
  | { readonly kind: "proof"; readonly caller: Uint8Array; readonly proof: Uint8Array }
  /** Is this nameplate held? */
  | { readonly kind: "ask"; readonly caller: Uint8Array }
  /** This caller's attempt is over. */
  | { readonly kind: "stop"; readonly caller: Uint8Array }

const FIRST_BYTE = { claim: 0, answer: 1, grant: 2, proof: 3, ask: 4, stop: 5, share: 6 } as const

export function encodePairing(message: PairingMessage): Uint8Array {
  const writer = new Writer().u8(FIRST_BYTE[message.kind])
  switch (message.kind) {
    case "claim":
      return writer.u8(VERSION).bytes(message.owner).done()
    case "answer":
      writer.u8(message.guest ? GUEST : 0).bytes(message.owner)
      return writer.bytes(message.caller).bytes(message.share).done()
    case "share":
      return writer.bytes(message.caller).bytes(message.share).done()
    case "grant":
      writer.bytes(message.caller).bytes(message.proof)
      return writer.bytes(message.nonce).bytes(message.box).done()
    case "proof":
      return writer.bytes(message.caller).bytes(message.proof).done()
    case "ask":
      return writer.u8(VERSION).bytes(message.caller).done()
    case "stop":
      return writer.bytes(message.caller).done()
  }
}

/** The message, or undefined for anything else: a nameplate is open to strangers [W-41]. */
export function decodePairing(bytes: Uint8Array): PairingMessage | undefined {
  return decode(bytes, readMessage)
}

function readMessage(reader: Reader): PairingMessage | undefined {
  switch (reader.u8()) {
    case FIRST_BYTE.claim:
      readVersion(reader)
      return { kind: "claim", owner: reader.bytes(SID_BYTES) }
    case FIRST_BYTE.answer:
      return readAnswer(reader)
    case FIRST_BYTE.grant:
      return readGrant(reader)
    case FIRST_BYTE.proof:
      return { kind: "proof", caller: reader.bytes(SID_BYTES), proof: reader.bytes(CONFIRMATION_BYTES) }
    case FIRST_BYTE.ask:
      readVersion(reader)
      return { kind: "ask", caller: reader.bytes(SID_BYTES) }
    case FIRST_BYTE.stop:
      return { kind: "stop", caller: reader.bytes(SID_BYTES) }
    case FIRST_BYTE.share:
      return { kind: "share", caller: reader.bytes(SID_BYTES), share: readShare(reader) }
    default:
      return undefined
  }
}

function readVersion(reader: Reader): void {
  if (reader.u8() !== VERSION) reader.refuse()
}

function readAnswer(reader: Reader): PairingMessage {
  const flags = reader.u8()
  if (flags > GUEST) reader.refuse()
  const [owner, caller] = [reader.bytes(SID_BYTES), reader.bytes(SID_BYTES)]
  return { kind: "answer", guest: flags === GUEST, owner, caller, share: readShare(reader) }
}

function readGrant(reader: Reader): PairingMessage {
  const caller = reader.bytes(SID_BYTES)
  const [proof, nonce] = [reader.bytes(CONFIRMATION_BYTES), reader.bytes(NONCE_BYTES)]
  if (reader.left > GRANT_BYTES_MAX) reader.refuse()
  return { kind: "grant", caller, proof, nonce, box: reader.rest() }
}

function readShare(reader: Reader): PublicKey {
  return reader.bytes(KEY_BYTES) as PublicKey
}
