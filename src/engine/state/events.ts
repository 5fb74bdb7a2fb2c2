import * as v from "valibot"

import * as shape from "./shapes.ts"

const eventParams = <Name extends string, Fields extends v.ObjectEntries>(event: Name, fields: Fields) =>
  v.strictObject({ event: v.literal(event), ...fields })

/** All events of a profile; the key is the field `event`. */
export const EVENTS = {
  message: {
    about: "A message has come, or was sent by another process of this profile.",
    params: eventParams("message", { message: shape.message }),
  },
  receipt: {
    about: "A message of ours has come further, or was given up.",
    params: eventParams("receipt", { contact: v.string(), id: shape.messageId, state: shape.messageState }),
  },
  link: {
    about: "The connection to the broker has changed.",
    params: eventParams("link", { link: shape.link }),
  },
  paired: { about: "An offer was answered.", params: eventParams("paired", shape.paired.entries) },
  "pair-failed": {
    about: "An offer came to nothing.",
    params: eventParams("pair-failed", { why: v.string(), hint: v.string() }),
  },
  typing: {
    about: "A contact is writing, or has stopped.",
    params: eventParams("typing", { contact: v.string(), typing: v.boolean() }),
  },
  dropped: {
    about: "A frame was refused: counted, never shown.",
    params: eventParams("dropped", { total: shape.count }),
  },
  notice: {
    about: "A line for the conversation that nobody typed; without a contact, for all of them.",
    params: eventParams("notice", { contact: v.nullable(v.string()), text: v.string() }),
  },
  locked: { about: "The keys are locked: nothing is sent or received.", params: eventParams("locked", {}) },
  unlocked: { about: "The keys are open again.", params: eventParams("unlocked", {}) },
} as const

export type Event = v.InferOutput<(typeof EVENTS)[keyof typeof EVENTS]["params"]>
