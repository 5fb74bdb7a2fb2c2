import { ascii, concat, field, int, zeros } from "./bytes.ts"
import { HMAC, KDF, SB } from "./primitives.ts"

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url")

/** [W-47] */
export function proofOf(how: Uint8Array | "by name" | "without TLS"): Uint8Array {
  if (typeof how === "string") return int(how === "by name" ? 0 : 2, 1)
  return concat(int(1, 1), how)
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

/** [W-46] */
export function invitationLink(
  address: string,
  proof: Uint8Array,
  invitation: Uint8Array,
  members?: string,
): string {
  const elsewhere = members === undefined ? zeros(0) : field(members)
  return `mqttchat://${address}/join#${base64url(concat(proof, invitation, elsewhere))}`
}

/** [W-10] */
export function topicsOf(inbox: Uint8Array, nameplate: number, id: Uint8Array) {
  return {
    inbox: `mc/1/i/${base64url(inbox.slice(0, 16))}/${base64url(inbox.slice(16))}`,
    nameplate: `mc/1/p/${nameplate}`,
    request: `mc/1/reg/q/${base64url(id)}`,
    answer: `mc/1/reg/a/${base64url(id)}`,
  }
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
