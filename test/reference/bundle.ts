import { ascii, concat, Fields, int } from "./bytes.ts"
import { boxKey, H32, HMAC, KDF, kemKey, Sign, signKey, verify } from "./primitives.ts"

const VERSION = 2

export type Identity = { readonly signSecret: Uint8Array; readonly boxSecret: Uint8Array }

/** [W-14] */
export function identityOf({ signSecret, boxSecret }: Identity): Uint8Array {
  return concat(signKey(signSecret), boxKey(boxSecret))
}

export type BundleInput = {
  readonly flags: number
  readonly inbox: Uint8Array
  readonly notAfter: number
  readonly prekeySecret: Uint8Array
  readonly kemSeed: Uint8Array
  readonly random: Uint8Array
}

/** [S-2] */
export function makeBundle(owner: Identity, input: BundleInput): Uint8Array {
  const unsigned = concat(
    int(VERSION, 1),
    int(input.flags, 1),
    identityOf(owner),
    boxKey(input.prekeySecret),
    kemKey(input.kemSeed),
    input.inbox,
    input.random,
    int(input.notAfter, 8),
  )
  return concat(unsigned, Sign(owner.signSecret, concat(ascii("mqttchat/1 bundle"), unsigned)))
}

/** [S-2] [S-3]; `now` in unix seconds. */
export function readBundle(bytes: Uint8Array, now: number) {
  const fields = new Fields(bytes)
  if (fields.int(1) !== VERSION) throw new Error("a bundle of another version")
  const flags = fields.int(1)
  const bundle = {
    flags,
    identity: fields.take(64),
    prekey: fields.take(32),
    kemKey: fields.take(1184),
    inbox: fields.take(32),
    random: fields.take(16),
    notAfter: fields.int(8),
  }
  const signature = fields.take(64)
  fields.end()
  const signed = concat(ascii("mqttchat/1 bundle"), bytes.slice(0, 1338))
  if (flags > 3 || bundle.notAfter < now) throw new Error("a bundle with other flags, or past its time")
  if (!verify(bundle.identity.slice(0, 32), signed, signature)) throw new Error("a bundle that nobody signed")
  return bundle
}

/** [S-4] by link or file. */
export function linkPsk(bundle: Uint8Array): Uint8Array {
  return KDF(new Uint8Array(), H32(bundle), "mqttchat/1 psk link", 32)
}

/** [S-4] for a recovery. */
export function recoveryPsk(bundle: Uint8Array, recoverySecret: Uint8Array): Uint8Array {
  return KDF(H32(bundle), recoverySecret, "mqttchat/1 psk recovery", 32)
}

/** [S-4] for an introduction. */
export function introductionPsk(bundle: Uint8Array, ...accounts: readonly Uint8Array[]): Uint8Array {
  return KDF(H32(bundle), concat(...accounts), "mqttchat/1 psk introduction", 32)
}

/** [S-11] */
export function initTag(psk: Uint8Array, bundle: Uint8Array): Uint8Array {
  return HMAC(psk, ascii("mqttchat/1 init tag"), H32(bundle)).slice(0, 16)
}
