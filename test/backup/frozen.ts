import type { BackupContact, BackupDevice, BackupMessage, BackupRecord } from "../../src/backup/contents.ts"
import { writeRecords } from "../../src/backup/records.ts"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { aliceAccount, withDevice } from "../account/account-fixture.ts"
import { ARGON2_COST } from "../../src/crypto/argon2.ts"
import { toHex, type PublicKey, type SecretKey, type SigningKey } from "../../src/crypto/bytes.ts"
import { sealStream } from "../../src/keystore/sealed-stream.ts"
import { asJson } from "../as-json.ts"
import { all } from "../keystore/pieces.ts"
import { counting, recordedRandom } from "../recorded-random.ts"

export const PASSPHRASE = "one file and one passphrase"

const TIME = 1_800_000_000_000
const random = counting(1)

const bob: BackupContact = {
  id: 1,
  name: "bob",
  verified: true,
  blocked: false,
  addedAt: TIME,
  changedAt: 0,
  comparedLinks: 2,
  lockedAt: TIME + 10,
  readReceipts: true,
  typing: false,
  receiptDelay: 1500,
  timer: 86_400,
  timerSetAt: TIME + 1,
  mutedUntil: Number.MAX_SAFE_INTEGER,
  draft: "what was typed\nand not sent",
  introducedBy: undefined,
}
const OWN = aliceAccount()
const THEIRS = withDevice(OWN, "phone")
const RIVAL = withDevice(OWN, "tablet")
const laptop: BackupDevice = {
  contact: 1,
  key: random(64),
  peerInbox: random(32),
  mailbox: random(16),
  recoverySecret: random(32),
  recoveryBundle: random(1402),
}
const phone: BackupDevice = { ...laptop, key: random(64), mailbox: random(16), recoverySecret: random(32) }
/** A contact who has not answered yet; the contact id before theirs was forgotten. */
const carol: BackupContact = {
  ...bob,
  mutedUntil: 0,
  draft: "",
  id: 3,
  name: "Çarol ünd",
  verified: false,
  blocked: true,
  changedAt: TIME + 2,
  readReceipts: false,
  typing: true,
  introducedBy: { account: counting(5)(32), name: "bob" },
}
const tablet: BackupDevice = {
  ...laptop,
  contact: 3,
  key: random(64),
  recoveryBundle: new Uint8Array(0),
}
const text: BackupMessage = {
  contact: 1,
  id: random(8),
  digest: random(16),
  mine: true,
  kind: "text",
  text: "did the pi come up?",
  sentAt: TIME + 3,
  storedAt: TIME + 4,
  state: "queued",
  shown: true,
  timer: 0,
  expiresAt: 0,
  recipients: [{ contact: 1, state: "queued", at: TIME + 5 }],
  replyTo: { author: random(8), id: random(8), digest: random(16) },
  supersededKey: undefined,
  isPending: false,
}

/** What the changes of that text are about. */
const subject = { contact: 1, mine: true, id: text.id, digest: text.digest, at: TIME + 7 }

/** A backup in which every field has a value. */
export const RECORDS: readonly BackupRecord[] = [
  {
    record: "profile",
    profile: {
      signSecret: random(32) as SigningKey,
      boxSecret: random(32) as SecretKey,
      name: "alice",
      broker: {
        nodes: [
          { host: "broker.example", port: 8883 },
          { host: "10.0.0.5", port: 18883 },
        ],
        guests: { host: "broker.example", port: 8884 },
        proof: { kind: "pin", pin: random(16) },
        registrar: random(32) as PublicKey,
      },
      credential: { kind: "restored" },
    },
  },
  ...linkRecords(0, OWN, 0),
  { record: "contact", contact: bob },
  ...linkRecords(1, THEIRS, 0),
  ...linkRecords(1, RIVAL, 1),
  { record: "device", device: laptop },
  { record: "device", device: phone },
  { record: "contact", contact: carol },
  { record: "device", device: tablet },
  { record: "message", message: text },
  {
    record: "change",
    change: {
      ...subject,
      change: { kind: "edit", by: null, time: TIME + 5, text: "is the pi up?" },
      isPending: true,
      isDelivered: true,
    },
  },
  {
    record: "change",
    change: {
      ...subject,
      change: { kind: "reaction", by: 1, time: TIME + 6, emoji: "👍🏽" },
      isPending: false,
      isDelivered: false,
    },
  },
  {
    record: "message",
    message: {
      ...text,
      id: counting(7)(8),
      digest: counting(8)(16),
      state: "delivered",
      recipients: [{ contact: 1, state: "delivered", at: TIME + 6 }],
      replyTo: undefined,
      isPending: true,
    },
  },
  {
    record: "message",
    message: {
      ...text,
      id: random(8),
      digest: random(16),
      mine: false,
      recipients: [],
      replyTo: undefined,
      supersededKey: "compared",
      text: "yes\nit did 👍",
      state: "received",
      shown: false,
      timer: 3600,
      expiresAt: TIME + 9,
    },
  },
  {
    record: "message",
    message: {
      ...text,
      contact: 3,
      id: random(8),
      digest: new Uint8Array(0),
      mine: false,
      recipients: [],
      replyTo: undefined,
      kind: "line",
      supersededKey: "uncompared",
      text: "carol's key changed",
      state: "received",
    },
  },
  {
    record: "change",
    change: {
      ...{ contact: 3, mine: false, id: random(8), digest: random(16), at: TIME + 8 },
      change: { kind: "delete", by: 3, time: TIME + 8 },
      isPending: false,
      isDelivered: false,
    },
  },
  {
    record: "known-id",
    known: { contact: 1, mine: false, id: counting(9)(8), digest: counting(10)(16), at: TIME + 11 },
  },
  {
    record: "known-id",
    known: { contact: 3, mine: true, id: counting(11)(8), digest: counting(12)(16), at: TIME + 12 },
  },
]

function linkRecords(contact: number, { links }: AccountChain, branch: number): BackupRecord[] {
  return links.map(({ number, bytes }) => ({
    record: "link",
    link: { contact, branch, number, link: bytes },
  }))
}

/** The whole file, with what was drawn for it. */
export async function backupVectors() {
  const { random, take } = recordedRandom(counting(0))
  const bytes = toHex(await all(sealStream(writeRecords(RECORDS), PASSPHRASE, random)))
  const [salt, key, nonce] = take(3)
  return {
    about: "A backup in which every field has a value: clauses B-1 to B-11, K-1 to K-4.",
    ...{ passphrase: PASSPHRASE, cost: ARGON2_COST, salt, nonce, key },
    records: asJson(RECORDS),
    backup: bytes,
  }
}
