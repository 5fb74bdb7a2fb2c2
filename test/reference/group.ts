import { ascii, concat, hex, int, toHex, zeros } from "./bytes.ts"
import { H, H32, KDF, SB, Sign } from "./primitives.ts"
import { messageKey, nextChainKey, pad, payloadHash, tagOf } from "./ratchet.ts"

export type Roster = {
  account: string
  role: string
  speaks: boolean
  head: string
  inbox: { device: string; mailbox: string }
}[]
type Chain = { th: Uint8Array; headerKey: Uint8Array; epoch: number; chainKey: Uint8Array; n: number }

/** [G-1] */
export const groupId = (founder: Uint8Array, random: Uint8Array) =>
  H32(ascii("mqttchat/1 gid"), founder, random).slice(0, 16)

/** [G-3] */
export function epochBytes(head: readonly Uint8Array[], members: Roster): Uint8Array {
  return concat(
    ...head,
    ...members.map(({ account, role, speaks, head, inbox }) => {
      const rights = (role === "owner" ? 1 : 0) + (role === "successor" ? 2 : 0) + (speaks ? 4 : 0)
      return concat(int(rights, 1), ...[account, head, inbox.device, inbox.mailbox].map(hex))
    }),
  )
}

/** [G-5] */
export const epochHash = (epoch: Uint8Array) => H32(ascii("mqttchat/1 epoch"), epoch)

/** [G-6] */
export const topicId = (group: Uint8Array, secret: Uint8Array) =>
  KDF(group, secret, "mqttchat/1 group topic", 16)

/** A sender key's fields [G-20], and what they give [G-21]. */
export function chainOf(
  senderKey: string,
  device: Uint8Array,
): Chain & { firstNumber: number; verifyKey: Uint8Array } {
  const bytes = hex(senderKey)
  const [epochPart, numbers] = [bytes.slice(0, 52), Buffer.from(bytes.slice(52, 58))]
  const [chainKey, headerKey, verifyKey] = [58, 90, 122].map((at) => bytes.slice(at, at + 32))
  const th = H32(ascii("mqttchat/1 group th"), epochPart, device, verifyKey!)
  return {
    th,
    headerKey: KDF(th, headerKey!, "mqttchat/1 group header", 32),
    epoch: Buffer.from(epochPart).readUInt32LE(16),
    chainKey: chainKey!,
    n: numbers.readUInt16LE(4),
    firstNumber: numbers.readUInt32LE(0),
    verifyKey: verifyKey!,
  }
}

/** A message with its signature [G-22] [G-23]. */
export function sealForGroup(chain: Chain, frames: Uint8Array, signingSecret: Uint8Array): Uint8Array {
  const tag = tagOf(chain.headerKey, chain.n)
  const header = concat(zeros(32), int(chain.epoch, 4), int(chain.n, 4), zeros(4))
  const sig = concat(int(0x21, 1), int(64, 2))
  const rest = pad(concat(sig, zeros(64), frames)).slice(67)
  const said = concat(ascii("mqttchat/1 gsig"), chain.th, tag, header, H(rest))
  const padded = concat(sig, Sign(signingSecret, said), rest)
  const key = messageKey(chain.chainKey)
  const v = payloadHash(key, chain.th, tag, header, padded)
  return concat(tag, v, SB(header, v, chain.headerKey), SB(padded, v, key.slice(0, 32)))
}

/** The chain key after a message [S-22]. */
export const keyAfter = (chain: Chain): string => toHex(nextChainKey(chain.chainKey))
