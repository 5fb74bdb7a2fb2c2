import { join } from "node:path"
import { readBrokerContents, type BrokerSection } from "../../backup/broker-contents.ts"
import { pinOf } from "../../broker/certificates.ts"
import { replay } from "../../broker/queues/journal-file.ts"
import { concat, toBase64url, toHex } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { createFile } from "../../fs/atomic-file.ts"
import { sealFile } from "../../keystore/sealed-file.ts"
import { openLedger } from "../../registrar/ledger.ts"
import { descriptorFile, readBrokerDescriptor } from "../profile/broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { brokerKeyTarget, decodeBrokerKeys, encodeBrokerKeys, type BrokerKeys } from "./keys.ts"
import { JOURNAL_FILE, ledgerFile } from "./ledger.ts"

/** The keys of a broker are under 4 kB. */
const KEYS_BYTES_MAX = 65_536
const ID_BYTES = 16

/** Where the parts of a broker are written. */
type Unfinished = Pick<Context, "paths">

/** What the export says of the keys, and the passphrase to seal them with here. */
type PassphraseFor = (hadOne: boolean) => Promise<string>

/** Writes each part to its file below `unfinished`. Fault `bad-data` for what no export of this version holds. */
export async function writeParts(
  unfinished: Unfinished,
  contents: AsyncIterable<Uint8Array>,
  passphraseFor: PassphraseFor,
): Promise<BrokerKeys> {
  let keys: BrokerKeys | undefined
  await readBrokerContents(contents, async (section, bytes) => {
    if (section === "keys") keys = await writeKeys(unfinished, bytes, passphraseFor)
    else await createFile(pathOf(unfinished, section), bytes)
  })
  if (keys === undefined) throw unknownKeys()
  return keys
}

async function writeKeys(
  unfinished: Unfinished,
  bytes: AsyncIterable<Uint8Array>,
  passphraseFor: PassphraseFor,
): Promise<BrokerKeys> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of bytes) {
    length += part.length
    if (length > KEYS_BYTES_MAX) throw unknownKeys()
    parts.push(part)
  }
  const whole = concat(...parts)
  const keys = decodeBrokerKeys(whole.subarray(1))
  const hadPassphrase = whole[0] === 1
  if (keys === undefined || (!hadPassphrase && whole[0] !== 0)) throw unknownKeys()
  await sealFile(
    brokerKeyTarget(unfinished),
    encodeBrokerKeys(keys),
    await passphraseFor(hadPassphrase),
    systemRandom,
  )
  return keys
}

function pathOf(unfinished: Unfinished, section: Exclude<BrokerSection, "keys">): string {
  if (section === "ledger") return ledgerFile(unfinished)
  return section === "settings"
    ? descriptorFile(unfinished.paths)
    : join(unfinished.paths.broker, JOURNAL_FILE)
}

/** What was imported. */
export type ImportedParts = {
  readonly users: number
  readonly messages: number
  readonly descriptor: ReturnType<typeof readBrokerDescriptor>
}

/**
 * Checks the parts against each other, and begins a branch of the ledger: devices that meet both this broker and the one
 * that it comes from can tell them apart.
 */
export async function completeParts(
  unfinished: Unfinished,
  keys: BrokerKeys,
  now: number,
): Promise<ImportedParts> {
  const pin = toHex(pinOf(keys.authority.caCertificate))
  const ledger = await openLedger(ledgerFile(unfinished))
  try {
    const { authority, users } = ledger.state
    if (authority !== undefined && authority !== pin) throw mixed()
    await ledger.append({ kind: "imported", at: now, id: toBase64url(systemRandom(ID_BYTES)) })
    const descriptor = readBrokerDescriptor(unfinished.paths)
    return { users: users.size, messages: await countQueued(unfinished), descriptor }
  } finally {
    await ledger.close()
  }
}

async function countQueued(unfinished: Unfinished): Promise<number> {
  const waiting = new Set<string>()
  await replay(pathOf(unfinished, "queues"), (record) => {
    if (record.kind === "queued") waiting.add(`${record.session} ${record.sequence}`)
    else if (record.kind === "settled") waiting.delete(`${record.session} ${record.sequence}`)
  })
  return waiting.size
}

function unknownKeys(): Fault {
  const message = "the keys in this export are of another version of mqttchat; nothing was imported"
  return new Fault("bad-data", message, "install the version of mqttchat that wrote it, or a later one")
}

function mixed(): Fault {
  const message = "the keys and the ledger of this export do not belong together; nothing was imported"
  return new Fault("bad-data", message, "mqttchat broker export FILE, once more, on the old machine")
}
