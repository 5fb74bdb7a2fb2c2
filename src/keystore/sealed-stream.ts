import { concat, wipe, type Random } from "../crypto/bytes.ts"
import { open, seal } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, KEY_BYTES } from "../crypto/sizes.ts"
import { Fault } from "../errors.ts"
import { littleEndian } from "../wire/codec.ts"
import { StreamReader } from "../wire/stream-reader.ts"
import { derivePassphraseKey, newPassphraseKey } from "./passphrase-key.ts"
import { isEarlierSealed, MIN_BYTES, openSealed, PURPOSE, readSealed, sealContents } from "./sealed-format.ts"

/*
 * A sealed stream is a sealed file that holds a fresh key of 32 bytes, then the contents in chunks of 65,536 bytes, the
 * last one shorter, each a secretbox under that key. A chunk's nonce is `number u64 | last u8 | zeros 15`: none can be
 * left out, moved or added, and a stream that was cut off ends without its last one (the STREAM construction of Hoang,
 * Reyhanitabar, Rogaway and Vizár, 2015).
 */
const CHUNK_BYTES = 65_536
const HEAD_BYTES = MIN_BYTES + KEY_BYTES
const NONCE_REST = new Uint8Array(15)

/** What a stream holds. One kind is never taken for another. */
export type StreamKind = "backup" | "broker"

const KINDS = {
  backup: {
    name: "a backup",
    write: "mqttchat export FILE",
    read: "mqttchat import FILE",
    danger: "anyone who finds the file could be you",
  },
  broker: {
    name: "an export of a broker",
    write: "mqttchat broker export FILE",
    read: "mqttchat broker import FILE",
    danger: "anyone who finds the file could let anyone in",
  },
} as const

/**
 * The bytes of a sealed stream with these contents, in order. It holds only one chunk in memory. Fault
 * `usage` for an empty passphrase, or one of over 1024 bytes.
 */
export async function* sealStream(
  contents: AsyncIterable<Uint8Array>,
  passphrase: string,
  random: Random,
  kind: StreamKind = "backup",
): AsyncGenerator<Uint8Array> {
  if (passphrase === "") {
    const { name, danger, write } = KINDS[kind]
    throw new Fault("usage", `${name} needs a passphrase: without one, ${danger}`, write)
  }
  const { lock, key } = await newPassphraseKey(passphrase, random)
  const streamKey = random(KEY_BYTES)
  yield sealContents({ purpose: PURPOSE[kind], lock }, key, streamKey, random)
  const reader = new StreamReader(contents)
  let isLast = false
  for (let number = 0; !isLast; number++) {
    const chunk = await reader.read(CHUNK_BYTES)
    isLast = await reader.isAtEnd()
    yield seal(chunk, nonceOf(number, isLast), streamKey)
  }
  wipe(key, streamKey)
}

/** A stream whose header is valid. */
export type SealedStream = {
  /** The contents in pieces. Faults `refused` for another passphrase, `bad-data` if the rest was changed. */
  readonly unlock: (passphrase: string) => AsyncGenerator<Uint8Array>
}

/** Fault `bad-data` if it is of another kind, or its first bytes are damaged. `name` stands for it in messages. */
export async function readStream(
  source: AsyncIterable<Uint8Array>,
  name: string,
  kind: StreamKind = "backup",
): Promise<SealedStream> {
  const reader = new StreamReader(source)
  const head = await reader.read(HEAD_BYTES)
  if (kind === "backup" && isEarlierSealed(head, PURPOSE[kind])) throw ofEarlierVersion(name)
  const sealed = readSealed(head)
  const lock = sealed?.header.lock
  if (sealed?.header.purpose !== PURPOSE[kind] || lock?.kind !== "argon2id")
    throw notOfKind(name, kind, sealed?.header.purpose)
  return {
    unlock: async function* (passphrase) {
      const key = await derivePassphraseKey(lock, passphrase)
      const streamKey = openSealed(sealed, key)
      wipe(key)
      if (streamKey === undefined) {
        const message = `this is not the passphrase of ${name}`
        throw new Fault("refused", message, "try again; without the passphrase the file cannot be opened")
      }
      yield* openChunks(reader, streamKey, name)
      wipe(streamKey)
    },
  }
}

function ofEarlierVersion(name: string): Fault {
  const why = `${name} is a backup of an earlier version of mqttchat, and this one cannot read it`
  return new Fault("bad-data", why, "mqttchat init, then with each of your contacts: mqttchat pair")
}

function notOfKind(name: string, wanted: StreamKind, purpose: number | undefined): Fault {
  const found = (["backup", "broker"] as const).find((kind) => PURPOSE[kind] === purpose)
  if (found !== undefined && found !== wanted)
    return new Fault(
      "bad-data",
      `${name} is ${KINDS[found].name}, not ${KINDS[wanted].name}`,
      KINDS[found].read,
    )
  return new Fault("bad-data", `${name} is not ${KINDS[wanted].name}, or is damaged`, KINDS[wanted].read)
}

async function* openChunks(reader: StreamReader, key: Uint8Array, name: string): AsyncGenerator<Uint8Array> {
  let isLast = false
  for (let number = 0; !isLast; number++) {
    const box = await reader.read(CHUNK_BYTES + BOX_OVERHEAD)
    isLast = await reader.isAtEnd()
    const chunk = open(box, nonceOf(number, isLast), key)
    if (chunk === undefined) {
      throw new Fault("bad-data", `${name} is damaged or was cut off; nothing was imported`, "copy it again")
    }
    yield chunk
  }
}

function nonceOf(number: number, isLast: boolean): Uint8Array {
  return concat(littleEndian(number, 8), Uint8Array.of(isLast ? 1 : 0), NONCE_REST)
}
