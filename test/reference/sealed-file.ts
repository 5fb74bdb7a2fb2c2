import { argon2id } from "@noble/hashes/argon2.js"
import { ascii, concat, field, hex, int, optional, zeros } from "./bytes.ts"
import { H32, KDF, SB } from "./primitives.ts"

export type Cost = { memoryKiB: number; iterations: number; parallelism: number }
type SealInput = { purpose: number; passphrase: string; cost: Cost; salt: Uint8Array; nonce: Uint8Array }

/** [K-1] to [K-4] */
export function sealFile(input: SealInput, contents: Uint8Array): Uint8Array {
  const { purpose, passphrase, salt, nonce } = input
  const isLocked = passphrase !== ""
  const cost = isLocked ? input.cost : { memoryKiB: 0, iterations: 0, parallelism: 0 }
  const header = concat(
    ascii("mqttchat"),
    ...[int(purpose === 3 ? 2 : 1, 1), int(purpose, 1), int(isLocked ? 1 : 0, 1), int(cost.parallelism, 1)],
    ...[int(cost.memoryKiB, 4), int(cost.iterations, 4), isLocked ? salt : zeros(16), nonce],
  )
  const key = isLocked ? passphraseKey(passphrase, salt, cost) : zeros(32)
  const boxKey = KDF(zeros(0), key, concat(ascii("mqttchat/1 sealed file"), header), 32)
  const file = concat(header, SB(contents, nonce, boxKey))
  return concat(file, H32(ascii("mqttchat/1 sealed file checksum"), file))
}

function passphraseKey(passphrase: string, salt: Uint8Array, cost: Cost): Uint8Array {
  const { iterations: t, memoryKiB: m, parallelism: p } = cost
  return argon2id(ascii(passphrase.normalize("NFKC")), salt, { t, m, p, dkLen: 32, version: 0x13 })
}

export type Credential =
  | null
  | { kind: "device"; deviceId: string; certificate: string; key: string; userId?: string }
  | { kind: "account"; deviceId: string; username?: string; password?: string }
  | { kind: "invitation"; bytes: string }
  | { kind: "restored" }

const optionalText = (text: string | undefined) => optional(text === undefined ? undefined : field(text))

/** [K-6] */
export function credentialBytes(it: Credential): Uint8Array {
  switch (it?.kind) {
    case undefined:
      return int(0, 1)
    case "device":
      return concat(
        int(1, 1),
        field(it.deviceId),
        field(it.certificate),
        field(it.key),
        optionalText(it.userId),
      )
    case "account":
      return concat(int(2, 1), field(it.deviceId), optionalText(it.username), optionalText(it.password))
    case "invitation":
      return concat(int(3, 1), field(hex(it.bytes)))
    case "restored":
      return int(4, 1)
  }
}
