import { _map_to_curve_elligator2_curve25519 as elligator2 } from "@noble/curves/ed25519.js"
import { ascii, concat, hex, int, toHex, zeros } from "./bytes.ts"
import { H, HMAC, KDF, XDH } from "./primitives.ts"

// CPACE-X25519-SHA512 of draft-irtf-cfrg-cpace, and what follows from it [P-10] to [P-13].

const P = 2n ** 255n - 19n
/** SHA-512 takes blocks of 128. */
const BLOCK = 128

/** prepend_len of the draft: the length in LEB128, of at most two bytes here. */
function lv(part: Uint8Array | string): Uint8Array {
  const bytes = typeof part === "string" ? ascii(part) : part
  const { length } = bytes
  const prefix = length < 128 ? int(length, 1) : Uint8Array.of((length % 128) + 128, Math.floor(length / 128))
  return concat(prefix, bytes)
}

/** calculate_generator of the draft. */
export function generator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Uint8Array {
  const padding = zeros(Math.max(0, BLOCK - 1 - lv(prs).length - lv("CPace255").length))
  const hash = H(lv("CPace255"), lv(prs), lv(padding), lv(ci), lv(sid)).slice(0, 32)
  const { xMn, xMd } = elligator2((fromLittleEndian(hash) % 2n ** 255n) % P)
  return toLittleEndian((xMn * inverse(xMd)) % P)
}

export function sessionKey(
  sid: Uint8Array,
  secret: Uint8Array,
  transcript: readonly Uint8Array[],
): Uint8Array {
  return H(lv("CPace255_ISK"), lv(sid), lv(secret), ...transcript.map(lv))
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`)
}

function toLittleEndian(value: bigint): Uint8Array {
  return hex(value.toString(16).padStart(64, "0")).reverse()
}

/** By Fermat. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, value % P]
  for (let left = P - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % P
    base = (base * base) % P
  }
  return result
}

type Exchange = { code: string; nameplate: number; ownerId: Uint8Array; callerId: Uint8Array }

export function shareOf({ code, nameplate, ownerId, callerId }: Exchange, scalar: Uint8Array): Uint8Array {
  const ci = concat(lv("mqttchat/1 pair"), lv(String(nameplate)))
  const share = XDH(scalar, generator(ascii(code), ci, concat(ownerId, callerId)))
  if (share === undefined) throw new Error("a share of low order")
  return share
}

/** [P-12] */
export function exchangeKeys(
  sid: Uint8Array,
  secret: Uint8Array,
  callerShare: Uint8Array,
  ownerShare: Uint8Array,
) {
  const none = zeros(0)
  const isk = sessionKey(sid, secret, [callerShare, none, ownerShare, none])
  const mac = H(ascii("CPaceMac"), sid, isk)
  const proof = (share: Uint8Array) => HMAC(mac, lv(share), lv(none)).slice(0, 32)
  return {
    psk: KDF(sid, isk, "mqttchat/1 psk code", 32),
    grantKey: KDF(sid, isk, "mqttchat/1 pair r", 32),
    callerProof: proof(callerShare),
    ownerProof: proof(ownerShare),
  }
}
