import * as v from "valibot"

import { aboutContact, unixMs } from "./shapes.ts"

export const introductionId = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.description("for `introduction-answer`"),
)

export const introduction = v.strictObject({
  id: introductionId,
  ...aboutContact,
  role: v.pipe(
    v.picklist(["introducer", "owner", "initiator"]),
    v.description(
      "what we are in it: the introducer, and then `contact` is the one who is asked first (the owner of the bundle); or one " +
        "of the two, and then `contact` is the introducer",
    ),
  ),
  name: v.pipe(
    v.string(),
    v.description("what the introducer calls the one who is to be met: their words, which nothing proves"),
  ),
  fingerprint: v.pipe(v.string(), v.description("first 20 hex digits of that one's account id")),
  state: v.picklist(["asked", "agreed", "introduced", "answered", "refused"]),
  isQuestion: v.pipe(v.boolean(), v.description("a person here is to answer it")),
  expiresAt: unixMs,
})
export type Introduction = v.InferOutput<typeof introduction>
