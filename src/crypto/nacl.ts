import { Fault } from "../errors.ts"
import type { Backend } from "./backend.ts"
import type { PublicKey, Random, SecretKey, SharedSecret, SigningKey, VerifyKey } from "./bytes.ts"
import { isSignature, isVerifyKey } from "./ed25519.ts"
import { hashParts, hmacSha512 } from "./hmac.ts"
import { node } from "./node.ts"
import { passesSelfTest } from "./self-test.ts"
import { tweetnacl } from "./tweetnacl.ts"
import { KEY_BYTES, BOX_OVERHEAD } from "./sizes.ts"

/** Fastest first. */
export const BACKENDS = ["sodium", "node", "tweetnacl"] as const
export type BackendName = (typeof BACKENDS)[number]
/** Quickest to load first: libsodium takes five times as long, which a process that ends at once never earns back. */
export const LIGHT_BACKENDS: readonly BackendName[] = ["node", "tweetnacl"]

let active: Backend = tweetnacl
let activeName: BackendName = "tweetnacl"

/**
 * Chooses the implementation for the whole process: the one named, or without a name the first of `order` that passes
 * its self-test. Keys hold nothing of a backend, so the choice may change at any time.
 *
 * Rejects with Fault `config` if the name is unknown or that backend is missing or gives wrong results.
 */
export async function useBackend(
  name?: string,
  order: readonly BackendName[] = BACKENDS,
): Promise<BackendName> {
  const candidates = name === undefined ? order : BACKENDS.filter((backend) => backend === name)
  for (const candidate of candidates) {
    const backend = await load(candidate)
    if (backend === undefined || !passesSelfTest(backend)) continue
    active = backend
    activeName = candidate
    return candidate
  }
  throw unusable(name)
}

export function activeBackend(): BackendName {
  return activeName
}

async function load(name: BackendName): Promise<Backend | undefined> {
  switch (name) {
    case "sodium": {
      const { loadSodium } = await import("./sodium.ts")
      return loadSodium()
    }
    case "node":
      return node
    case "tweetnacl":
      return tweetnacl
  }
}

function unusable(name: string | undefined): Fault {
  const why =
    name === undefined
      ? "no crypto backend gives the right results"
      : "this crypto backend is not usable here"
  return new Fault("config", why, `MQTTCHAT_CRYPTO is one of ${BACKENDS.join(", ")}, or unset`)
}

/** X25519 (RFC 7748): 32 bytes, or undefined for a point of low order, whose result says nothing of `secret`. */
export function agree(secret: SecretKey, theirs: PublicKey): SharedSecret | undefined {
  return active.agree(secret, theirs) as SharedSecret | undefined
}

export function publicKeyOf(secret: SecretKey): PublicKey {
  return active.publicKeyOf(secret) as PublicKey
}

export type BoxKeyPair = { readonly secretKey: SecretKey; readonly publicKey: PublicKey }

/** A new X25519 pair from 32 random bytes. */
export function boxKeyPair(random: Random): BoxKeyPair {
  const secretKey = random(KEY_BYTES) as SecretKey
  return { secretKey, publicKey: publicKeyOf(secretKey) }
}

/** NaCl secretbox, which is also `box` after its agreement: nonce 24, key 32, result 16 bytes longer. */
export function seal(message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  const box = new Uint8Array(message.length + BOX_OVERHEAD)
  active.seal(box, message, nonce, key)
  return box
}

/** `seal` without new memory: into `box`, 16 bytes longer than `message`, which may be the last bytes of `box` itself. */
export function sealInto(box: Uint8Array, message: Uint8Array, nonce: Uint8Array, key: Uint8Array): void {
  active.seal(box, message, nonce, key)
}

/** The message of a box of `seal`, or undefined if it is too short or was not sealed with this key and nonce. */
export function open(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  if (box.length < BOX_OVERHEAD) return undefined
  const message = new Uint8Array(box.length - BOX_OVERHEAD)
  return active.open(message, box, nonce, key) ? message : undefined
}

/** `open` without new memory: into `message`, 16 bytes shorter than `box`. False leaves nothing in it that may be used. */
export function openInto(message: Uint8Array, box: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean {
  return active.open(message, box, nonce, key)
}

export type SignKeyPair = { readonly secretKey: SigningKey; readonly publicKey: VerifyKey }

/** A new Ed25519 pair from 32 random bytes. */
export function signKeyPair(random: Random): SignKeyPair {
  const secretKey = random(KEY_BYTES) as SigningKey
  return { secretKey, publicKey: verifyKeyOf(secretKey) }
}

export function verifyKeyOf(secret: SigningKey): VerifyKey {
  return active.verifyKeyOf(secret) as VerifyKey
}

/** Ed25519 (RFC 8032), deterministic, 64 bytes. */
export function sign(message: Uint8Array, key: SigningKey): Uint8Array {
  return active.sign(message, key)
}

/**
 * Ed25519 as RFC 8032 section 5.1.7 has it, and never true for a key of small order. Key and signature are checked here,
 * because libraries differ.
 */
export function verify(message: Uint8Array, signature: Uint8Array, key: VerifyKey): boolean {
  return isSignature(signature) && isVerifyKey(key) && active.verify(message, signature, key)
}

/** SHA-512 of the parts one after the other, 64 bytes. */
export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return hashParts(active.sha512, parts)
}

/** HMAC-SHA-512 (RFC 2104) of the parts one after the other, 64 bytes; the key may have any length. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmacSha512(active.sha512, key, parts)
}

/** The first 32 bytes of `hmac` over a short message, for a key of 32 bytes; in one call where the backend has one. */
export function hmac32(key: Uint8Array, message: Uint8Array): Uint8Array {
  return active.auth?.(message, key) ?? hmac(key, message).slice(0, 32)
}
