import * as v from "valibot"

import { FAULT_CODES } from "../../errors.ts"
import { DAY_S, DAY_MS } from "../../time-units.ts"

/** A longer name does not fit a prompt; HELLO carries 64 bytes. */
const NAME_MAX = 64
/** A pasted armoured bundle is about 2 kB, a link under 300 characters. */
const OFFER_MAX = 4096
/** `TEXT_MAX_BYTES` of wire/frame.ts, which user interfaces should not have to load. */
const TEXT_BYTES_MAX = 65_276
const PAGE_MAX = 10_000
/** As long as a typed line. */
const QUERY_MAX = 1024
/** A caller that waits longer for one message asks again: a timer of Node holds 24 days. */
const TIMEOUT_MS_MAX = 7 * DAY_MS
/** A passphrase file has at most as many bytes. */
const PASSPHRASE_MAX = 1024
/** 32 bytes as base64url have 43 characters. */
const TOKEN_MAX = 64

export const nothing = v.null()
export const empty = v.strictObject({})
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))
export const text = v.pipe(v.string(), v.maxLength(TEXT_BYTES_MAX))
export const query = v.pipe(v.string(), v.maxLength(QUERY_MAX))
export const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PAGE_MAX))
export const offerText = v.pipe(
  v.string(),
  v.maxLength(OFFER_MAX),
  v.description("the code with its address, the link, or the text of the file"),
)
/** Five hosts of 253 characters, brackets, ports and commas, as in wire/access.ts. */
export const addresses = v.pipe(
  v.string(),
  v.maxLength(1400),
  v.description("HOST[:PORT], up to five with commas between them"),
)
export const pin = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/), v.description("32 hex digits"))
/** Brokers differ in what they accept; as in wire/access.ts. */
export const username = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
export const password = v.pipe(v.string(), v.maxLength(1024))
export const invitation = v.pipe(v.string(), v.maxLength(OFFER_MAX))
export const passphrase = v.pipe(v.string(), v.maxLength(PASSPHRASE_MAX))
export const token = v.pipe(v.string(), v.maxLength(TOKEN_MAX))
/** PATH_MAX of Linux. */
export const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096))
/** A backup must be protected by a passphrase. */
export const backupPassphrase = v.pipe(v.string(), v.minLength(1), v.maxLength(PASSPHRASE_MAX))
export const timeoutMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIMEOUT_MS_MAX))
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
/** A message's number in the order of storing: the cursor of `history`, `search` and `mark-read`. */
export const seq = v.pipe(
  count,
  v.description("numbers the messages of this profile in the order of storing"),
)
/** The number of an event in the store's log. */
export const eventNumber = v.pipe(
  count,
  v.description("numbers the recorded events of this profile; it only grows, with gaps"),
)
export const wordCount = v.picklist([2, 3])
export const insecureTransport = v.pipe(
  v.boolean(),
  v.description("the user asks for a broker without TLS: who talks when is open to the network"),
)
export const offerKind = v.picklist(["code", "link", "file"])
export const unixMs = v.pipe(v.number(), v.description("Unix time in ms"))
export const messageId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{16}$/, "a message id has 16 hex digits"),
  v.description("16 hex digits"),
)
export const messageIdStart = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{1,16}$/, "the beginning of a message id has 1 to 16 hex digits"),
  v.description("1 to 16 hex digits"),
)
/** A year, as `TIMER_MAX_S` of wire/frame.ts. */
const TIMER_MAX_S = 366 * DAY_S
export const timerSeconds = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(TIMER_MAX_S),
  v.description("seconds until messages disappear, 0 for never"),
)
/** With a longer delay, the sender would believe that the message did not arrive. */
const RECEIPT_DELAY_MAX_MS = 60_000
export const receiptDelayMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(RECEIPT_DELAY_MAX_MS))

/** A number is never taken for a name, nor a string for an id: a contact may be called "7". */
export const contactId = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.description("stays the same when the contact is renamed, and is never reused"),
)
export const contactReference = v.pipe(
  v.union([name, contactId]),
  v.description("a string is the contact's name, a number its id"),
)
/** The contact that a message or an event is about. */
export const aboutContact = { contact: v.string(), contactId }

const deviceState = v.picklist(["init-sent", "unconfirmed", "established", "recovering"])

export const contact = v.strictObject({
  id: contactId,
  name: v.string(),
  fingerprint: v.pipe(
    v.string(),
    v.description("first 20 hex digits of H(account id), empty until their account is verified"),
  ),
  state: v.pipe(deviceState, v.description("that of the best of its devices")),
  pairing: v.pipe(
    v.picklist(["unfinished", "done"]),
    v.description(
      "unfinished until the words to compare are known: one side has not shown its share of them",
    ),
  ),
  verified: v.boolean(),
  blocked: v.boolean(),
  keyChangedAt: v.pipe(
    v.nullable(unixMs),
    v.description("when another identity took over this name: nothing is sent until it is compared"),
  ),
  accountLockedAt: v.pipe(
    v.nullable(unixMs),
    v.description(
      "since when their account has two histories that contradict each other: nothing is sent until words are compared",
    ),
  ),
  deviceReplacedAt: v.pipe(
    v.nullable(unixMs),
    v.description(
      "since when another device of ours talks with them in place of this one: nothing is sent from here",
    ),
  ),
  devices: v.array(
    v.strictObject({
      fingerprint: v.pipe(v.string(), v.description("first 20 hex digits of H(device key)")),
      state: deviceState,
      replacedAt: v.pipe(
        v.nullable(unixMs),
        v.description("since when it talks with another device of ours in place of this one"),
      ),
    }),
  ),
  readReceipts: v.boolean(),
  typingIndicators: v.boolean(),
  receiptDelayMs,
  timerSeconds,
  addedAt: unixMs,
  introducedBy: v.pipe(
    v.nullable(v.string()),
    v.description("the contact that introduced them; that proves nothing until you compare"),
  ),
  unread: count,
  queued: count,
})

export const messageState = v.picklist([
  "queued",
  "broker",
  "delivered",
  "read",
  "given-up",
  "cancelled",
  "received",
])

/** The message that another one answers. */
const replyTo = v.strictObject({
  id: messageId,
  mine: v.boolean(),
  text: v.pipe(
    v.nullable(v.string()),
    v.description("its newest text; null if it is not here, or was deleted"),
  ),
  changed: v.pipe(
    v.boolean(),
    v.description("true if another text is here under that id than the author meant"),
  ),
})

const reaction = v.strictObject({
  emoji: v.pipe(v.string(), v.description("clean it before you show it on a terminal")),
  mine: v.boolean(),
  at: unixMs,
})

const recipient = v.strictObject({ ...aboutContact, state: messageState })

/** What may be added to a message after it was written. */
const changes = {
  replyTo: v.pipe(v.nullable(replyTo), v.description("the message that it answers")),
  editedAt: v.pipe(v.nullable(unixMs), v.description("when its author changed the text last")),
  previous: v.pipe(
    v.array(v.strictObject({ text: v.string(), sentAt: unixMs })),
    v.description("what it said before it was edited, oldest first"),
  ),
  deletedAt: v.pipe(
    v.nullable(unixMs),
    v.description("when its author deleted it for both sides; its text is then empty"),
  ),
  reactions: v.pipe(v.array(reaction), v.description("at most one for each person")),
  recipients: v.pipe(
    v.array(recipient),
    v.description("of ours, how far it is with each contact who gets it; `state` is the least of them"),
  ),
}

export const message = v.strictObject({
  id: messageId,
  seq,
  ...aboutContact,
  mine: v.boolean(),
  kind: v.pipe(
    v.picklist(["text", "system"]),
    v.description("a system message reports what happened to the conversation; no user wrote it"),
  ),
  text: v.pipe(v.string(), v.description("as it was sent: clean it before you show it on a terminal")),
  sentAt: v.pipe(unixMs, v.description("by the sender's clock, Unix time in ms")),
  storedAt: v.pipe(unixMs, v.description("when it was stored here, Unix time in ms")),
  state: messageState,
  trusted: v.pipe(v.boolean(), v.description("false if it came under a new key that has not been compared")),
  timerSeconds,
  expiresAt: v.pipe(v.nullable(unixMs), v.description("null while its timer has not started")),
  ...changes,
})

export const conversation = v.strictObject({
  kind: v.picklist(["direct"]),
  ...aboutContact,
  unread: v.pipe(count, v.description("also counted while it is muted")),
  draft: v.pipe(v.string(), v.description("what was typed and not sent; empty if nothing was")),
  muted: v.pipe(v.boolean(), v.description("no interface rings, flashes or interrupts for what comes in it")),
  mutedUntil: v.pipe(v.nullable(unixMs), v.description("null while it is not muted, and if that has no end")),
  last: v.nullable(message),
})

/** A message of ours, or a change that we made to one, that the peer has not acknowledged. */
export const outboxEntry = v.strictObject({
  ...aboutContact,
  kind: v.pipe(
    v.picklist(["text", "edit", "delete", "reaction"]),
    v.description("all but a text are changes of a message, which cannot be cancelled"),
  ),
  id: v.pipe(messageId, v.description("of the message")),
  text: v.pipe(
    v.string(),
    v.description("what the message says now; of a reaction the emoji, or empty if it was taken away"),
  ),
  state: messageState,
  attempts: v.pipe(count, v.description("how often it was published")),
  nextAt: v.pipe(
    v.nullable(unixMs),
    v.description(
      "when it is published next, Unix time in ms; null while the contact has no session to carry it",
    ),
  ),
  storedAt: unixMs,
  reason: v.string(),
})

const reason = { reason: v.string(), hint: v.exactOptional(v.string()) }

export const connection = v.variant("kind", [
  v.strictObject({ kind: v.literal("online") }),
  v.strictObject({
    kind: v.pipe(
      v.picklist(["connecting", "none"]),
      v.description("the first try is under way, or there is no broker"),
    ),
    ...reason,
  }),
  v.strictObject({
    kind: v.pipe(
      v.picklist(["offline", "stopped"]),
      v.description(
        "failed: it is retried soon (offline), or refused (stopped) and retried ever more slowly, up to every five minutes, where that can help; the cause may be this laptop's own disk",
      ),
    ),
    code: v.picklist(FAULT_CODES),
    ...reason,
  }),
])

export const ledger = v.strictObject({
  state: v.pipe(
    v.picklist(["unknown", "whole", "rolled-back", "forked"]),
    v.description(
      "whether the broker's ledger had all entries that this device knows of when it was asked last; `rolled-back`: it " +
        "was shorter; `forked`: it had another entry in the place of one of them; `unknown`: it was never asked",
    ),
  ),
  entries: v.pipe(count, v.description("how many entries this device knows of")),
  confirmedAt: v.pipe(v.nullable(unixMs), v.description("when it had all of them last, Unix time in ms")),
  trouble: v.pipe(
    v.nullable(
      v.strictObject({
        kind: v.picklist(["rolled-back", "forked"]),
        since: unixMs,
        last: unixMs,
        entries: v.pipe(count, v.description("how many entries it had")),
      }),
    ),
    v.description(
      "when another ledger answered, first and last; null if none did since `ledger` accepted it",
    ),
  ),
})
export type LedgerStatus = v.InferOutput<typeof ledger>

export const status = v.strictObject({
  name: v.string(),
  broker: v.nullable(v.string()),
  insecureTransport: v.pipe(
    v.boolean(),
    v.description("the broker is used without TLS: who talks when is open to the network, messages are not"),
  ),
  connection,
  queued: v.pipe(
    count,
    v.description("messages, and changes of messages, that the broker has not received yet"),
  ),
  undelivered: v.pipe(
    count,
    v.description("the same that the peer has not acknowledged, including the queued ones"),
  ),
  unread: count,
  certificate: v.pipe(
    v.nullable(v.strictObject({ validFrom: unixMs, validTo: unixMs })),
    v.description("that of this device at the broker, if it has one"),
  ),
  dropped: count,
  refusedMailboxes: v.pipe(
    count,
    v.description("contacts and offers that cannot reach this profile: the broker refuses their mailboxes"),
  ),
  daemon: v.pipe(v.boolean(), v.description("a daemon has the profile open; it sends what waits by itself")),
  clock: v.pipe(
    v.nullable(v.strictObject({ shows: unixMs, expected: unixMs })),
    v.description(
      "what this machine's clock shows and what was expected, while the two contradict each other: check the clock; else null",
    ),
  ),
  ledger,
  locked: v.pipe(
    v.boolean(),
    v.description("nothing is sent or received, and the other fields are as they were at locking"),
  ),
})

export const sent = v.strictObject({
  id: messageId,
  state: v.picklist(["queued", "broker", "delivered", "read", "given-up"]),
})

export const deleted = v.strictObject({
  deleted: v.pipe(count, v.description("messages that were deleted")),
  cancelled: v.pipe(
    count,
    v.description(
      "of these, the ones that had not been sent: they were cancelled and never go out; 0 with `forAll`, which asks for the deletion in any case",
    ),
  ),
})

export const membership = v.strictObject({
  broker: v.string(),
  deviceId: v.string(),
  invitationUsed: v.pipe(
    v.boolean(),
    v.description("false if it only named another address of the profile's own broker"),
  ),
})

export const exported = v.strictObject({ contacts: count, messages: count })
export type Contact = v.InferOutput<typeof contact>
export type Conversation = v.InferOutput<typeof conversation>
export type Message = v.InferOutput<typeof message>
export type ConnectionStatus = v.InferOutput<typeof connection>
export type ContactReference = v.InferOutput<typeof contactReference>
export type AboutContact = Pick<Message, "contact" | "contactId">
