import { ascii, concat, field, int, zeros } from "./bytes.ts"
import { HMAC, KDF, SB } from "./primitives.ts"

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url")

/** [W-47] */
export function proofOf(pin: Uint8Array | undefined): Uint8Array {
  return pin === undefined ? int(2, 1) : concat(int(1, 1), pin)
}

/** [W-42]; types are 0, 1 and 2. */
export function access(proof: Uint8Array, type: number, data: Uint8Array, members?: string): Uint8Array {
  return concat(proof, int(type, 1), field(data), members === undefined ? zeros(0) : field(members))
}

type Link = { address: string; bundleHash: Uint8Array; inbox: Uint8Array; proof: Uint8Array }

/** [W-43] */
export function link(
  { address, bundleHash, inbox, proof }: Link,
  invitation?: Uint8Array,
  members?: string,
): string {
  const forNewcomer = concat(invitation ?? zeros(0), members === undefined ? zeros(0) : field(members))
  return `mqttchat://${address}/2#${base64url(concat(bundleHash, inbox, proof, forNewcomer))}`
}

/** [W-44] */
export function linkRequest(bundleHash: Uint8Array, inbox: Uint8Array, nonce: Uint8Array): Uint8Array {
  const tag = HMAC(bundleHash, ascii("mqttchat/1 link request")).slice(0, 16)
  const key = KDF(zeros(0), bundleHash, "mqttchat/1 link key", 32)
  return concat(tag, nonce, SB(concat(inbox, zeros(168)), nonce, key))
}

/** [W-45] */
export function linkAnswer(bundleHash: Uint8Array, bundle: Uint8Array, nonce: Uint8Array): Uint8Array {
  const key = KDF(zeros(0), bundleHash, "mqttchat/1 link answer", 32)
  return concat(nonce, SB(concat(bundle, zeros(606)), nonce, key))
}

/** [P-40] */
export function bundleFile(
  bundle: Uint8Array,
  name: string,
  address: string,
  accessBytes: Uint8Array,
): string {
  const bytes = concat(int(3, 1), bundle, field(name), field(address), accessBytes)
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  return ["-----BEGIN MQTTCHAT BUNDLE-----", ...lines, "-----END MQTTCHAT BUNDLE-----", ""].join("\n")
}
