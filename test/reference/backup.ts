import { readLinks } from "./account.ts"
import { ascii, concat, field, hex, int, optional, zeros } from "./bytes.ts"
import { proofOf } from "./links.ts"
import { SB } from "./primitives.ts"
import { credentialBytes, sealFile, type Cost, type Credential } from "./sealed-file.ts"

type Address = { host: string; port: number }
type Profile = {
  signSecret: string
  boxSecret: string
  name: string
  broker: {
    nodes: Address[]
    guests: Address
    proof: { kind: "pin"; pin: string } | { kind: "insecure" }
    registrar: string
  }
  credential: Credential
}
type Contact = Record<
  | "id"
  | "addedAt"
  | "changedAt"
  | "receiptDelay"
  | "timer"
  | "timerSetAt"
  | "comparedLinks"
  | "lockedAt"
  | "mutedUntil",
  number
> &
  Record<"verified" | "blocked" | "readReceipts" | "typing", boolean> &
  Record<"name" | "draft", string> & { introducedBy: { account: string; name: string } | null }
type Device = Record<"key" | "peerInbox" | "mailbox" | "recoverySecret" | "recoveryBundle", string> & {
  contact: number
}
type Message = Record<"id" | "digest" | "kind" | "text" | "state", string> &
  Record<"contact" | "sentAt" | "storedAt" | "timer" | "expiresAt", number> &
  Record<"mine" | "shown", boolean> & {
    recipients: { contact: number; state: string; at: number }[]
    replyTo: Record<"author" | "id" | "digest", string> | null
    supersededKey: "compared" | "uncompared" | null
    isPending: boolean
  }
type Change = {
  contact: number
  mine: boolean
  id: string
  digest: string
  at: number
  isPending: boolean
  isDelivered: boolean
  change: { kind: string; by: number | null; time: number; text?: string; emoji?: string }
}
type KnownId = { contact: number; mine: boolean; id: string; digest: string; at: number }
type BackupRecord =
  | { record: "profile"; profile: Profile }
  | { record: "contact"; contact: Contact }
  | { record: "device"; device: Device }
  | { record: "message"; message: Message }
  | { record: "link"; link: { contact: number; branch: number; number: number; link: string } }
  | { record: "change"; change: Change }
  | { record: "known-id"; known: KnownId }

export type BackupVectors = {
  passphrase: string
  cost: Cost
  salt: string
  nonce: string
  key: string
  records: BackupRecord[]
  backup: string
}

const CHUNK = 65_536

/** [B-1] [B-2] */
export function backupFile({ passphrase, cost, records, ...drawn }: BackupVectors): Uint8Array {
  const [salt, nonce, key] = [hex(drawn.salt), hex(drawn.nonce), hex(drawn.key)]
  const contents = concat(...records.map(recordBytes).flatMap((record) => [int(record.length, 4), record]))
  const count = Math.max(1, Math.ceil(contents.length / CHUNK))
  const chunks = Array.from({ length: count }, (_, number) => {
    const isLast = number === count - 1
    const chunkNonce = concat(int(number, 8), int(isLast ? 1 : 0, 1), zeros(15))
    return SB(contents.slice(number * CHUNK, (number + 1) * CHUNK), chunkNonce, key)
  })
  return concat(sealFile({ purpose: 3, passphrase, cost, salt, nonce }, key), ...chunks)
}

function recordBytes(it: BackupRecord): Uint8Array {
  switch (it.record) {
    case "profile":
      return concat(int(1, 1), profileBytes(it.profile))
    case "contact":
      return concat(int(2, 1), contactBytes(it.contact))
    case "device":
      return concat(int(3, 1), deviceBytes(it.device))
    case "message":
      return concat(int(4, 1), messageBytes(it.message))
    case "link": {
      const { contact, branch, number, link } = it.link
      if (readLinks(hex(link)).links[0]?.number !== number) throw new Error("another number")
      return concat(int(5, 1), int(contact, 4), int(branch, 1), hex(link))
    }
    case "change":
      return concat(int(6, 1), changeBytes(it.change))
    case "known-id":
      return concat(int(7, 1), knownIdBytes(it.known))
  }
}

/** [W-40] */
function addressOf({ host, port }: Address): string {
  const name = host.includes(":") ? `[${host}]` : host
  return port === 8883 ? name : `${name}:${port}`
}

/** [B-4] */
function profileBytes({ signSecret, boxSecret, name, broker, credential }: Profile): Uint8Array {
  const { nodes, guests, proof, registrar } = broker
  const where = concat(
    proofOf(proof.kind === "pin" ? hex(proof.pin) : "without TLS"),
    field(nodes.map(addressOf).join(",")),
    field(addressOf(guests)),
  )
  const brokerBytes = concat(where, optional(hex(registrar)))
  return concat(
    hex(signSecret),
    hex(boxSecret),
    field(name),
    optional(brokerBytes),
    credentialBytes(credential),
  )
}

function flagsOf(...flags: readonly boolean[]): Uint8Array {
  return int(
    flags.reduce((sum, flag, at) => sum + (flag ? 2 ** at : 0), 0),
    1,
  )
}

/** [B-5] */
function contactBytes(it: Contact): Uint8Array {
  return concat(
    ...[
      int(it.id, 4),
      flagsOf(it.verified, it.blocked, it.readReceipts, it.typing, it.introducedBy !== null),
    ],
    ...[
      int(it.addedAt, 8),
      int(it.changedAt, 8),
      int(it.receiptDelay, 4),
      int(it.timer, 4),
      int(it.timerSetAt, 8),
      int(it.comparedLinks, 2),
      int(it.lockedAt, 8),
      int(it.mutedUntil, 8),
    ],
    field(it.name),
    ...(it.introducedBy === null ? [] : [hex(it.introducedBy.account), field(it.introducedBy.name)]),
    ascii(it.draft),
  )
}

/** [B-8] */
function deviceBytes(it: Device): Uint8Array {
  const fixed = [it.key, it.peerInbox, it.mailbox, it.recoverySecret].map(hex)
  return concat(int(it.contact, 4), ...fixed, field(hex(it.recoveryBundle)))
}

const STATES = ["queued", "broker", "delivered", "read", "given-up", "cancelled", "received"]

/** [B-6]; a line has no digest, and only a text of ours has recipients. */
function messageBytes(it: Message): Uint8Array {
  const flags = flagsOf(
    ...[it.mine, it.kind === "line", it.shown, it.replyTo !== null],
    ...[it.supersededKey === "compared", it.supersededKey === "uncompared", it.isPending],
  )
  const recipients = it.recipients.flatMap(({ contact, state, at }) => [
    ...[int(contact, 4), int(STATES.indexOf(state), 1), int(at, 8)],
  ])
  const answer = it.replyTo === null ? [] : [it.replyTo.author, it.replyTo.id, it.replyTo.digest].map(hex)
  return concat(
    ...[int(it.contact, 4), hex(it.id), flags],
    ...[int(STATES.indexOf(it.state), 1), int(it.sentAt, 8), int(it.storedAt, 8), int(it.timer, 4)],
    ...[int(it.expiresAt, 8), hex(it.digest)],
    ...(it.mine ? [int(it.recipients.length, 1), ...recipients] : []),
    ...[...answer, ascii(it.text)],
  )
}

/** [B-11] */
function knownIdBytes({ contact, mine, id, digest, at }: KnownId): Uint8Array {
  return concat(int(contact, 4), flagsOf(mine), hex(id), hex(digest), int(at, 8))
}

const KINDS = ["edit", "delete", "reaction"]

/** [B-9]; the other person is the contact. */
function changeBytes({ change, ...it }: Change): Uint8Array {
  const isOurs = change.by !== it.contact
  return concat(
    ...[
      int(it.contact, 4),
      flagsOf(it.mine, isOurs, it.isPending, it.isDelivered),
      hex(it.id),
      hex(it.digest),
    ],
    ...[int(KINDS.indexOf(change.kind), 1), int(change.time, 8), int(it.at, 8)],
    ascii(change.text ?? change.emoji ?? ""),
  )
}
