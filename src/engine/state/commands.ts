import * as v from "valibot"

import { recordedEvent } from "./events.ts"
import { introduction, introductionId } from "./introduction-shapes.ts"
import * as pairing from "./pairing-shapes.ts"
import * as shape from "./shapes.ts"

const { contact, contactReference, empty, limit, name, nothing, offerKind, seq, wordCount } = shape
/** As many messages as fit on a few screens. */
const PAGE = 50
/** `EMOJI_MAX_BYTES` of wire/emoji.ts, which user interfaces should not have to load. */
const EMOJI_MAX = 64
/** Even with the longest texts far below the largest answer. */
const EVENT_PAGE = 100
const messages = v.array(shape.message)
/** Cursors are `seq` numbers; both are exclusive. */
const page = {
  before: v.exactOptional(seq),
  after: v.exactOptional(seq),
  limit: v.optional(limit, PAGE),
}

/** All commands of a profile, for user interfaces, scripts and other processes; the key is the JSON-RPC method name. */
export const COMMANDS = {
  status: {
    about: "Broker, connection and outbox of the profile.",
    params: empty,
    result: shape.status,
  },
  "catch-up": {
    about:
      "Answers when everything that the broker held for the profile has arrived, or when it can be waited for no longer: " +
      "the connection is down, or the broker has brought nothing for a while. `isComplete` says which.",
    params: empty,
    result: v.strictObject({ isComplete: v.boolean() }),
  },
  send: {
    about:
      "Sends a message. Answers when it has reached the state `wait` (on this disk, on the broker, on the peer's disk, " +
      "read), or when `timeoutMs` is over: it then stays in the outbox, and `state` is the state it has reached. With " +
      "`replyTo` it answers the message with that id, which may have been deleted here; fault `not-found` if none had it. " +
      "With `fromDraft` the text is what was typed as the draft: that is removed in the same commit.",
    params: v.strictObject({
      contact: contactReference,
      text: shape.text,
      replyTo: v.exactOptional(shape.messageId),
      fromDraft: v.exactOptional(v.boolean()),
      wait: v.optional(v.picklist(["queued", "broker", "delivered", "read"]), "queued"),
      timeoutMs: v.optional(shape.timeoutMs, 10_000),
    }),
    result: shape.sent,
  },
  history: {
    about:
      "Messages of a conversation, oldest first: the last ones; with `after`, the first ones after it. To page backward, " +
      "pass the first `seq` of a page as `before`; to page forward, pass the last as `after`. With `since`, only those " +
      "that were stored here at that time or later.",
    params: v.strictObject({
      contact: contactReference,
      ...page,
      since: v.exactOptional(shape.unixMs),
    }),
    result: messages,
  },
  find: {
    about:
      "The messages whose id begins with `id`, of one conversation or of all; at most ten. Users type the beginning of an " +
      "id.",
    params: v.strictObject({ id: shape.messageIdStart, contact: v.exactOptional(contactReference) }),
    result: messages,
  },
  delete: {
    about:
      "Deletes a message here only: the contact keeps theirs, and a copy that comes again is not shown. One that was " +
      "not sent yet is cancelled. With `forAll`, the contact is asked to delete it, too: its text, what it said before and " +
      "the reactions go on both sides, and that it was deleted stays. Only a message of yours can be deleted so; the " +
      "contact may have kept a copy. Fault `refused` otherwise.",
    params: v.strictObject({
      contact: contactReference,
      id: shape.messageId,
      forAll: v.exactOptional(v.boolean()),
    }),
    result: shape.deleted,
  },
  edit: {
    about:
      "Changes the text of a message of yours, on both sides. What it said before is kept. Answers when it is on this disk. " +
      "Fault `refused` for a message of the contact or one that was deleted for both. `fromDraft` is that of `send`.",
    params: v.strictObject({
      contact: contactReference,
      id: shape.messageId,
      text: shape.text,
      fromDraft: v.exactOptional(v.boolean()),
    }),
    result: shape.message,
  },
  react: {
    about:
      "Reacts to a message with one emoji, in place of your reaction before; null takes it away. Answers when it is on this disk.",
    params: v.strictObject({
      contact: contactReference,
      id: shape.messageId,
      emoji: v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(EMOJI_MAX))),
    }),
    result: shape.message,
  },
  "delete-all": {
    about:
      "The same for all messages of a conversation up to now, also those that were received and wait for earlier ones. The " +
      "contact stays.",
    params: v.strictObject({ contact: contactReference }),
    result: shape.deleted,
  },
  search: {
    about:
      "Messages that contain all words of `query`, newest first. For the next page, pass the last `seq` as `before`.",
    params: v.strictObject({ query: shape.query, ...page }),
    result: messages,
  },
  inbox: {
    about:
      "Unread messages, oldest first; `markRead` marks them as read. Which are unread is the same for all readers of a " +
      "profile: a reader that must miss nothing follows `events`.",
    params: v.strictObject({
      markRead: v.optional(v.boolean(), false),
      after: v.exactOptional(seq),
      limit: v.exactOptional(limit),
    }),
    result: messages,
  },
  "mark-read": {
    about:
      "Marks the messages of a conversation as read, up to the one with the `seq` of `upTo`; with `after`, only those " +
      "that come after the one with that `seq`.",
    params: v.strictObject({ contact: contactReference, after: v.exactOptional(seq), upTo: seq }),
    result: nothing,
  },
  events: {
    about:
      "Recorded events after the one with the number `since`, oldest first, as they are now. `number` is the next " +
      "`since`; when it is the same again, that is all. Without `since` there are no events, only the last `number`. " +
      "Fault `not-found` for a `since` that is too old or of another profile.",
    params: v.strictObject({
      since: v.exactOptional(shape.eventNumber),
      limit: v.optional(limit, EVENT_PAGE),
    }),
    result: v.strictObject({ events: v.array(recordedEvent), number: shape.eventNumber }),
  },
  conversations: {
    about: "All conversations, with what is unread in each, and the last message.",
    params: empty,
    result: v.array(shape.conversation),
  },
  "set-draft": {
    about:
      "Keeps what is typed in a conversation and not sent yet, for every user interface; an empty text removes it. `send` " +
      "and `edit` remove it with `fromDraft`.",
    params: v.strictObject({ contact: contactReference, text: shape.text }),
    result: nothing,
  },
  mute: {
    about: "Mutes a conversation, until a time or, with null, until `unmute`. What comes is unread as ever.",
    params: v.strictObject({ contact: contactReference, until: v.nullable(shape.unixMs) }),
    result: shape.conversation,
  },
  unmute: {
    about: "Ends the muting of a conversation.",
    params: v.strictObject({ contact: contactReference }),
    result: shape.conversation,
  },
  contacts: { about: "All contacts.", params: empty, result: v.array(contact) },
  rename: {
    about: "Changes the name of a contact.",
    params: v.strictObject({ contact: contactReference, name }),
    result: contact,
  },
  block: {
    about:
      "Blocks a contact, or unblocks it. What a blocked contact sends is dropped and not acknowledged: the sender repeats it for " +
      "30 days. After it is unblocked what was written before comes once more: it is acknowledged and left out, and one line " +
      "of the conversation says so. With `withMessages` it is shown, in the order in which it was written.",
    params: v.strictObject({
      contact: contactReference,
      blocked: v.boolean(),
      withMessages: v.exactOptional(v.boolean()),
    }),
    result: contact,
  },
  forget: {
    about: "Deletes a contact and the conversation.",
    params: v.strictObject({ contact: contactReference }),
    result: nothing,
  },
  verify: {
    about: "What to compare with a contact: four words, once the pairing is done, and the safety number.",
    params: v.strictObject({ contact: contactReference }),
    result: pairing.comparison,
  },
  "mark-verified": {
    about:
      "Records that you compared them, and whether they were the same; if not, the contact is told. `words` are those that you saw, as `verify` gave " +
      "them: fault `refused` if they have changed meanwhile, or if they are left out and nothing is sent to the contact until " +
      "they are compared: its key changed (`keyChangedAt`), or its account is locked (`accountLockedAt`).",
    params: v.strictObject({
      contact: contactReference,
      verified: v.boolean(),
      words: v.optional(pairing.words),
    }),
    result: contact,
  },
  introduce: {
    about:
      "Introduces two contacts to each other: `to` is asked first, and `contact` when `to` has agreed. Neither is told if the " +
      "other says no.",
    params: v.strictObject({ contact: contactReference, to: contactReference }),
    result: introduction,
  },
  introductions: {
    about: "Introductions under way: those that wait for an answer of yours, and those that you began.",
    params: empty,
    result: v.array(introduction),
  },
  "introduction-answer": {
    about:
      "Agrees to an introduction, or refuses it, which the introducer does not learn. The contact that comes of it is not " +
      "verified. Fault `not-found` if it is over or does not wait for an answer.",
    params: v.strictObject({ id: introductionId, accept: v.boolean() }),
    result: introduction,
  },
  replace: {
    about:
      "For a contact with new keys that was paired again as `newContact`: that one takes over the name and history of " +
      "`contact`, which is deleted. Nothing is sent to it until the new key is compared.",
    params: v.strictObject({ contact: contactReference, newContact: contactReference }),
    result: contact,
  },
  reset: {
    about:
      "Renews the connection with a contact. This happens automatically when one side has lost its state.",
    params: v.strictObject({ contact: contactReference }),
    result: nothing,
  },
  privacy: {
    about:
      "Sets which notices a contact gets, read receipts and typing notices, and the longest random delay of " +
      "receipts.",
    params: v.strictObject({
      contact: contactReference,
      readReceipts: v.boolean(),
      typingIndicators: v.boolean(),
      receiptDelayMs: shape.receiptDelayMs,
    }),
    result: contact,
  },
  timer: {
    about: "Sets after how many seconds messages of a conversation disappear on both sides; 0 for never.",
    params: v.strictObject({ contact: contactReference, timerSeconds: shape.timerSeconds }),
    result: contact,
  },
  typing: {
    about: "Tells a contact that you are typing, if `privacy` allows it.",
    params: v.strictObject({ contact: contactReference, typing: v.boolean() }),
    result: nothing,
  },
  outbox: {
    about: "Messages, and changes of messages, that their receivers have not acknowledged, and why.",
    params: empty,
    result: v.array(shape.outboxEntry),
  },
  cancel: {
    about: "Cancels a message that its receiver has not acknowledged. It may still have arrived.",
    params: v.strictObject({ contact: contactReference, id: shape.messageId }),
    result: nothing,
  },
  "pair-offer": {
    about:
      "Starts an offer; the event `paired` or `pair-failed` with its `id` follows. A code is on offer until it is used, " +
      "or the engine closes; it gets three words if codes were answered with wrong ones within the hour. Links and files stay " +
      "valid as long as `expiresAt` says, also in a later process. Fault `refused` when too many are open.",
    params: v.strictObject({ kind: v.optional(offerKind, "code"), wordCount: v.optional(wordCount, 2) }),
    result: pairing.offer,
  },
  "device-offer": {
    about:
      "Offers a code for another laptop of the same person. The laptop that answers has an identity of its own: it becomes a " +
      "device of the same user at the broker, and a contact.",
    params: v.strictObject({ wordCount: v.optional(wordCount, 2) }),
    result: pairing.offer,
  },
  "pair-answer": {
    about:
      "Answers an offer: a code, a link, or the text of a file. Returns when the handshake is on disk and its first " +
      "message on the broker; with a code, also when the peer has answered.",
    params: v.strictObject({
      kind: offerKind,
      offer: shape.offerText,
      insecureTransport: v.exactOptional(shape.insecureTransport),
      timeoutMs: v.exactOptional(shape.timeoutMs),
    }),
    result: pairing.paired,
  },
  offers: {
    about: "All offers that can still be answered.",
    params: empty,
    result: v.array(pairing.openOffer),
  },
  "pair-cancel": {
    about:
      "Ends an offer: the one with this `id`, or without it the last one that this process made. Fault `not-found` for an id " +
      "that no open offer has.",
    params: v.strictObject({ id: v.exactOptional(pairing.offerId) }),
    result: nothing,
  },
  "reload-settings": {
    about: "Reads the settings of the profile again, after another process has changed them.",
    params: empty,
    result: nothing,
  },
  "set-broker": {
    about:
      "Sets where the profile's broker is, and the pin of its authority's key (null: a publicly trusted certificate). " +
      "With the same pin it is the same broker at another address; without one, if a host name stays. " +
      "Another broker is not shown the account of the one before: give `username` for it. Nothing is said there before TLS has proved it, " +
      "unless the user asks for a broker without TLS, which has no pin. " +
      "Answers when it is saved; the connection follows.",
    params: v.strictObject({
      addresses: shape.addresses,
      pin: v.nullable(shape.pin),
      insecureTransport: v.exactOptional(shape.insecureTransport),
      username: v.exactOptional(shape.username),
      password: v.exactOptional(shape.password),
    }),
    result: nothing,
  },
  ledger: {
    about:
      "Asks the broker's registrar whether its ledger still has all entries that this device knows of. With `accept`, " +
      "the ledger as it is now counts from then on, as after the operator has put back an older copy.",
    params: v.strictObject({ accept: v.optional(v.boolean(), false) }),
    result: shape.ledger,
  },
  register: {
    about:
      "Makes the profile a member of the broker of an invitation. Answers when it has its certificate and is online there, " +
      "or with a fault when `timeoutMs` (30 s) is over.",
    params: v.strictObject({ invitation: shape.invitation, timeoutMs: v.exactOptional(shape.timeoutMs) }),
    result: shape.membership,
  },
  export: {
    about:
      "Writes an encrypted backup of identity, contacts and conversations to `path`, the absolute path of a new file.",
    params: v.strictObject({ path: shape.path, passphrase: shape.backupPassphrase }),
    result: shape.exported,
  },
} as const

export type Command = keyof typeof COMMANDS
export type Params<C extends Command> = v.InferOutput<(typeof COMMANDS)[C]["params"]>
export type Results = { [C in Command]: v.InferOutput<(typeof COMMANDS)[C]["result"]> }
