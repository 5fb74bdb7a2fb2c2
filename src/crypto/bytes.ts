import { timingSafeEqual } from "node:crypto"

declare const kind: unique symbol
type Kind<Name extends string> = Uint8Array & { readonly [kind]: Name }

/** X25519 (RFC 7748), 32 bytes each. */
export type PublicKey = Kind<"PublicKey">
export type SecretKey = Kind<"SecretKey">
/** Ed25519 (RFC 8032): public key 32 bytes, private key as its 32-byte seed. */
export type VerifyKey = Kind<"VerifyKey">
export type SigningKey = Kind<"SigningKey">
/** Result of an X25519 agreement or of ML-KEM-768, 32 bytes. */
export type SharedSecret = Kind<"SharedSecret">
/** ML-KEM-768 (FIPS 203): encapsulation key 1184, ciphertext 1088, decapsulation key as its 64-byte seed. */
export type EncapsulationKey = Kind<"EncapsulationKey">
export type KemCiphertext = Kind<"KemCiphertext">
export type KemSeed = Kind<"KemSeed">
/** Double Ratchet keys, 32 bytes each but the message key, which is 64 (encryption 32, authentication 32). */
export type RootKey = Kind<"RootKey">
export type ChainKey = Kind<"ChainKey">
export type HeaderKey = Kind<"HeaderKey">
export type MessageKey = Kind<"MessageKey">
/** Pre-shared key of a handshake, 32 bytes. */
export type Psk = Kind<"Psk">
/** Secret of the last handshake, from which a recovery is authenticated, 32 bytes. */
export type RecoverySecret = Kind<"RecoverySecret">
/** Key of a sealed box or file, 32 bytes. */
export type BoxKey = Kind<"BoxKey">

/** Source of random bytes, passed in so that a test can choose it. */
export type Random = (length: number) => Uint8Array

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Compares in time that depends on the lengths only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Order of byte strings of equal length, first byte first; for public values only. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

/** Best effort: the garbage collector may have copied the bytes before. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}

/** ASCII labels and other text of our own as UTF-8. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8")
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")
}

/** Of an even number of hex digits. */
export function fromHex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, "hex"))
}

/** RFC 4648 section 5, without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url")
}

/** The bytes, or undefined unless `text` is exactly what `toBase64url` writes for them. */
export function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64url")
  return bytes.toString("base64url") === text ? new Uint8Array(bytes) : undefined
}
