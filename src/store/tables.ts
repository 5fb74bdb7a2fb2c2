import {
  bytes,
  flag,
  group,
  integer,
  integerOrNull,
  listOf,
  oneOf,
  oneOfOptional,
  oneOfOrNull,
  optional,
  optionalBytes,
  text,
  times,
} from "./fields.ts"
import type { Field, Fields } from "./fields.ts"
import type { AccountLink } from "./account-record.ts"
import type {
  ContactRecord,
  ConversationRecord,
  DeviceParts,
  DeviceRecord,
  EventRecord,
  HeldRecord,
  OpenBundleRecord,
  OutgoingRecord,
  ReceivedFrame,
} from "./records.ts"
import type { ContentChange } from "../content/content.ts"
import type { Version } from "../content/versions.ts"
import { CHANGE_KINDS } from "./names.ts"
import { table, type Table } from "./table.ts"
import type { KnownId, MessageRecord, NewMessage, Recipient, TextName } from "./message-records.ts"
import type { ContactId, ConversationId, DeviceId } from "./ids.ts"

/** How many bytes of a mid name it in a receipt. */
const SHORT_MID_BYTES = 8
const MESSAGE_ID_BYTES = 8
const MAILBOX_BYTES = 16

/** Also the folded name: two names that fold to the same cannot both be in the table. */
const contactName: Field<string> = {
  columns: () => ["name", "folded_name"],
  write: (name) => [name, name.normalize("NFKC").toLowerCase()],
  read: (row, at) => row.text(at),
}

export const CONTACTS = table<ContactRecord>("contacts", ["id"], {
  id: integer,
  accountId: optionalBytes,
  comparedLinks: integer,
  lockedAt: integer,
  name: contactName,
  verified: flag,
  blocked: flag,
  addedAt: integer,
  changedAt: integer,
  readReceipts: flag,
  typing: flag,
  receiptDelay: integer,
  introducedBy: optional({ account: bytes, name: text }, "introducer_"),
})

export const ACCOUNT_LINKS = table<AccountLink & { readonly contact: ContactId }>(
  "account_links",
  ["contact", "branch", "number"],
  { contact: integer, branch: integer, number: integer, link: bytes },
)

export const OWN_ACCOUNT_LINKS = table<Omit<AccountLink, "branch">>("own_account_links", ["number"], {
  number: integer,
  link: bytes,
})

export const DEVICES = table<DeviceRecord>("devices", ["id"], {
  id: integer,
  contact: integer,
  key: bytes,
  state: oneOf(["init-sent", "unconfirmed", "established", "recovering"]),
  peerInbox: bytes,
  mailbox: bytes,
  comparison: bytes,
  recoverySecret: bytes,
  nextRecoverySecret: bytes,
  recoveryBundle: bytes,
  movedAt: integer,
})

export const SESSIONS = table<{ readonly device: DeviceId; readonly snapshot: Uint8Array }>(
  "sessions",
  ["device"],
  { device: integer, snapshot: bytes },
)

const RECIPIENT_STATES = ["queued", "broker", "delivered", "read", "given-up", "cancelled"] as const
const MESSAGE_STATES = [...RECIPIENT_STATES, "received"] as const

const conversationId: Field<ConversationId> = {
  ...integer,
  read: (row, at) => row.number(at) as ConversationId,
}

export const CONVERSATIONS = table<ConversationRecord>("conversations", ["id"], {
  id: conversationId,
  kind: oneOf(["direct"]),
  contact: integer,
  timer: integer,
  timerSetAt: integer,
  draft: text,
  mutedUntil: integer,
})

const replyTo = optional({ author: bytes, id: bytes, digest: bytes }, "reply_to_")

const newMessage: Fields<NewMessage> = {
  conversation: conversationId,
  author: integerOrNull,
  id: bytes,
  digest: bytes,
  kind: oneOf(["text", "line"]),
  text,
  sentAt: integer,
  storedAt: integer,
  state: oneOf(MESSAGE_STATES),
  shown: flag,
  timer: integer,
  expiresAt: integer,
  replyTo,
}

/** Its earlier texts and the reactions are in tables of their own. */
export const MESSAGES = table<MessageRecord>("messages", ["seq"], {
  seq: integer,
  ...newMessage,
  editedAt: integerOrNull,
  deletedAt: integerOrNull,
})

/** Of a message: whether a look into the table of reactions is worth it. */
export const HAS_REACTIONS = table<{ readonly hasReactions: boolean }>("messages", ["seq"], {
  hasReactions: flag,
})

export const EVENTS = table<EventRecord>("events", ["number"], {
  number: integer,
  conversation: conversationId,
  author: integerOrNull,
  id: bytes,
  state: oneOfOrNull(MESSAGE_STATES),
  change: oneOfOptional(CHANGE_KINDS),
})

/** Messages before SQLite has numbered them. */
export const NEW_MESSAGES = table<NewMessage>("messages", ["seq"], newMessage)

export const EARLIER_TEXTS = table<EarlierText>("earlier_texts", [], {
  message: integer,
  conversation: integer,
  isFirst: flag,
  time: integer,
  text,
})

type EarlierText = Version & {
  readonly message: number
  readonly conversation: number
  readonly isFirst: boolean
}

/** As it is on the disk, where 0 stands for the user of this profile. */
export const REACTIONS = table<ReactionRow>("reactions", ["message", "person"], {
  message: integer,
  person: integer,
  emoji: text,
  time: integer,
})

type ReactionRow = {
  readonly message: number
  readonly person: number
  readonly emoji: string
  readonly time: number
}

export const EARLY_CHANGES = table<EarlyChange>("early_changes", [], {
  conversation: conversationId,
  author: integer,
  id: bytes,
  digest: bytes,
  kind: oneOf(CHANGE_KINDS),
  time: integer,
  text,
  at: integer,
})

export type EarlyChange = Omit<TextName, "author"> & {
  readonly author: number
  readonly kind: ContentChange["kind"]
  readonly time: number
  readonly text: string
  readonly at: number
}

export const RECIPIENTS = table<Recipient & { readonly message: number }>(
  "recipients",
  ["message", "contact"],
  {
    message: integer,
    contact: integer,
    state: oneOf(RECIPIENT_STATES),
    at: integer,
  },
)

/** A text that is no longer here, and may come once more or be answered. */
export const KNOWN_IDS = table<KnownId>("known_ids", ["conversation", "author", "id"], {
  conversation: conversationId,
  author: integer,
  id: bytes,
  digest: bytes,
  at: integer,
})

export const RECEIVED_FRAMES = table<ReceivedFrame>("received_frames", ["device", "mid"], {
  device: integer,
  mid: bytes,
  at: integer,
})

export const HELD = table<HeldRecord>("held", ["device", "number"], {
  device: integer,
  number: integer,
  storedAt: integer,
  gone: oneOfOptional(["cancelled", "given-up", "not-held"]),
  text: optional({ id: bytes, digest: bytes, text, sentAt: integer, timer: integer, replyTo }),
})

export const OUTGOING = table<OutgoingRecord>("outgoing", ["seq"], {
  seq: integer,
  device: integer,
  mid: bytes,
  kind: oneOf([
    "text",
    "control",
    "passing",
    "rejection",
    "init",
    "handshake",
    "resend",
    "chain",
    "gone",
    "pq-ct",
    "topic",
    "topic-ok",
  ]),
  carries: optional({ id: bytes, number: integer }, "carries_"),
  delivered: flag,
  carriesChange: optional(
    {
      id: bytes,
      digest: bytes,
      author: integerOrNull,
      kind: oneOf(CHANGE_KINDS),
      time: integer,
      number: integer,
    },
    "change_",
  ),
  withdrawnNumber: integerOrNull,
  topic: text,
  wire: bytes,
  published: flag,
  refusal: optional({ reason: integer, limit: integer }, "refusal_"),
  attempts: integer,
  daysTried: integer,
  lastDayTried: integer,
  dueAt: integer,
  createdAt: integer,
})

export const OPEN_BUNDLES = table<OpenBundleRecord>("open_bundles", ["tag"], {
  tag: bytes,
  requestTag: bytes,
  mode: integer,
  psk: bytes,
  open: bytes,
  mailbox: bytes,
  device: integerOrNull,
  notAfter: integer,
})

export const SETTINGS = table<{ readonly key: string; readonly value: Uint8Array }>("settings", ["key"], {
  key: text,
  value: bytes,
})

export type DevicePart<Part extends keyof DeviceParts> = {
  readonly device: DeviceId
  readonly value: DeviceParts[Part]
}

export const DEVICE_TABLES: { readonly [Part in keyof DeviceParts]: Table<DevicePart<Part>> } = {
  textNumbers: deviceTable("text_numbers", { sent: integer, received: integer }),
  leftOut: deviceTable("left_out", {
    until: integer,
    ahead: integer,
    turns: integer,
    resealedUntil: integer,
    firstKept: integer,
    noted: flag,
  }),
  pendingReceipts: deviceTable("pending_receipts", { mids: listOf(SHORT_MID_BYTES) }),
  replayCache: deviceTable("replay_cache", {
    owed: listOf(SHORT_MID_BYTES),
    passing: listOf(SHORT_MID_BYTES),
  }),
  withdrawnTexts: deviceTable("withdrawn_texts", {
    mids: listOf(SHORT_MID_BYTES),
    ids: listOf(MESSAGE_ID_BYTES),
  }),
  supersededSession: deviceTable("superseded_sessions", { since: integer, inbox: bytes, snapshot: bytes }),
  acceptedInits: deviceTable("accepted_inits", { mids: listOf(SHORT_MID_BYTES) }),
  ownInits: deviceTable("own_inits", { mids: listOf(SHORT_MID_BYTES) }),
  crossedSession: deviceTable("crossed_sessions", {
    snapshot: bytes,
    isRecovery: flag,
    mailbox: bytes,
    peerInbox: bytes,
    comparison: bytes,
    recoverySecret: bytes,
    nextRecoverySecret: bytes,
  }),
  recovery: deviceTable("recoveries", {
    unmatched: integer,
    unmatchedMids: listOf(SHORT_MID_BYTES),
    unmatchedAt: times,
    startedAt: integer,
    attempts: integer,
    lostInit: optional({ mid: bytes, at: integer }, "lost_init_"),
  }),
  resend: deviceTable("resends", {
    since: integer,
    have: optional({ ids: listOf(MESSAGE_ID_BYTES) }, "have_"),
    isExpected: flag,
    spentAt: integer,
    spentTexts: integer,
    spentBytes: integer,
  }),
  shownAccount: deviceTable("shown_accounts", {
    accountId: bytes,
    length: integer,
    head: bytes,
    at: integer,
    until: integer,
    tag: bytes,
    offer: text,
  }),
  mailboxRotation: deviceTable("mailbox_rotations", {
    next: bytes,
    since: integer,
    texts: integer,
    notBefore: integer,
    confirmed: flag,
    old: listOf(MAILBOX_BYTES),
    oldSince: times,
  }),
  previousInbox: deviceTable("previous_inboxes", { inbox: bytes, at: integer }),
}

function deviceTable<T>(
  name: string,
  fields: Fields<T>,
): Table<{ readonly device: DeviceId; readonly value: T }> {
  return table(name, ["device"], { device: integer, value: group(fields) })
}
