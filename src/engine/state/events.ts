import * as v from "valibot"

import { introduction } from "./introduction-shapes.ts"
import * as pairing from "./pairing-shapes.ts"
import * as shape from "./shapes.ts"

const eventParams = <Name extends string, Fields extends v.ObjectEntries>(kind: Name, fields: Fields) =>
  v.strictObject({ kind: v.literal(kind), ...fields })

/** All events of a profile; the key is the field `kind`. Those with a `number` are kept in the event log. */
export const EVENTS = {
  message: {
    about: "A message was received, or was sent by another process of this profile.",
    params: eventParams("message", { number: shape.eventNumber, message: shape.message }),
  },
  receipt: {
    about: "The state of a sent message has changed, or it was given up.",
    params: eventParams("receipt", {
      number: shape.eventNumber,
      ...shape.aboutContact,
      id: shape.messageId,
      state: shape.messageState,
    }),
  },
  conversation: {
    about:
      "The draft of a conversation or its muting has changed, messages were read or deleted. The event `message` tells of " +
      "new ones. A muting that has an end is over then, without an event.",
    params: eventParams("conversation", { conversation: shape.conversation }),
  },
  changed: {
    about:
      "What a message says was changed by its author, or someone reacted to it. `message` is as it is now.",
    params: eventParams("changed", {
      number: shape.eventNumber,
      change: v.picklist(["edited", "deleted", "reaction"]),
      message: shape.message,
    }),
  },
  connection: {
    about: "The connection to the broker has changed.",
    params: eventParams("connection", { connection: shape.connection }),
  },
  paired: {
    about: "An offer was answered; `offer` is its id, or null if it was an offer of the other side.",
    params: eventParams("paired", { ...pairing.paired.entries, offer: v.nullable(pairing.offerId) }),
  },
  words: {
    about: "The pairing with a contact is done: the words to compare are known.",
    params: eventParams("words", { ...shape.aboutContact, words: pairing.words }),
  },
  "words-rejected": {
    about:
      "A contact says that the words you compared are not the same. They are not VERIFIED any more; a line of the " +
      "conversation says what to do.",
    params: eventParams("words-rejected", shape.aboutContact),
  },
  "pairing-ended": {
    about:
      "What a contact showed for the words to compare was wrong: the session was ended. A contact that was new is " +
      "forgotten; one that was there before stays, and nothing is sent to it until you pair again and compare.",
    params: eventParams("pairing-ended", {
      ...shape.aboutContact,
      reason: v.string(),
      forgotten: v.boolean(),
    }),
  },
  "pair-answered": {
    about: "A code that is on offer was answered. It is not known yet whether with the right words.",
    params: eventParams("pair-answered", { offer: pairing.offerId }),
  },
  "pair-guessed": {
    about: "A code was answered with wrong words, and is still on offer. `left` more wrong answers end it.",
    params: eventParams("pair-guessed", { offer: pairing.offerId, left: shape.count }),
  },
  "pair-failed": {
    about: "An offer failed or expired.",
    params: eventParams("pair-failed", { offer: pairing.offerId, reason: v.string(), hint: v.string() }),
  },
  introduction: {
    about: "A contact asks whether you want to meet someone, or introduces someone who does.",
    params: eventParams("introduction", { introduction }),
  },
  typing: {
    about: "A contact is typing, or has stopped.",
    params: eventParams("typing", { ...shape.aboutContact, typing: v.boolean() }),
  },
  dropped: {
    about: "A frame was refused. It was counted, and is not shown.",
    params: eventParams("dropped", { dropped: shape.count }),
  },
  notice: {
    about: "A notice to show in the conversation; without a contact, in all of them.",
    params: eventParams("notice", {
      contact: v.nullable(v.string()),
      contactId: v.nullable(shape.contactId),
      text: v.string(),
    }),
  },
  locked: { about: "The keys are locked: nothing is sent or received.", params: eventParams("locked", {}) },
  unlocked: { about: "The keys are unlocked again.", params: eventParams("unlocked", {}) },
} as const

/** What the event log keeps. */
export const recordedEvent = v.variant("kind", [
  EVENTS.message.params,
  EVENTS.receipt.params,
  EVENTS.changed.params,
])

export type RecordedEvent = v.InferOutput<typeof recordedEvent>
export type Event = v.InferOutput<(typeof EVENTS)[keyof typeof EVENTS]["params"]>

/** A notice to show in the conversation with `contact`, or without one in all of them. */
export function notice(text: string, contact?: { readonly id: number; readonly name: string }): Event {
  return { kind: "notice", contact: contact?.name ?? null, contactId: contact?.id ?? null, text }
}
