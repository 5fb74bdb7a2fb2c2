import * as v from "valibot"

import { contact, offerKind, unixMs } from "./shapes.ts"

export const offerId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{8}$/, "an offer's id has 8 hex digits"),
  v.description("8 hex digits; for `pair-cancel`"),
)

export const offer = v.variant("kind", [
  v.strictObject({
    kind: v.literal("code"),
    id: offerId,
    code: v.string(),
    address: v.pipe(
      v.string(),
      v.description("of the broker, for guests: the user types it after the code and an @"),
    ),
    expiresAt: unixMs,
  }),
  v.strictObject({ kind: v.literal("link"), id: offerId, link: v.string(), expiresAt: unixMs }),
  v.strictObject({ kind: v.literal("file"), id: offerId, file: v.string(), expiresAt: unixMs }),
])

export const openOffer = v.strictObject({
  id: offerId,
  kind: offerKind,
  answered: v.pipe(
    v.boolean(),
    v.description("true for a code that was proved; the other side has not finished and still can"),
  ),
  expiresAt: unixMs,
})

/** What two people compare. */
export const words = v.pipe(
  v.array(v.string()),
  v.description("four words, or none while the pairing is unfinished; the event `words` follows"),
)

export const paired = v.strictObject({
  contact,
  words,
  renamedFrom: v.pipe(
    v.nullable(v.string()),
    v.description("the name they gave themselves, if they are called otherwise here"),
  ),
  confusableWith: v.pipe(
    v.nullable(v.string()),
    v.description("the contact whose name looks like that one; null if it has a meaning of its own here"),
  ),
  known: v.pipe(v.boolean(), v.description("true for a contact known before, whose session is new")),
})

export const comparison = v.strictObject({
  contact,
  words,
  safetyNumber: v.array(v.string()),
})

export type OpenOffer = v.InferOutput<typeof openOffer>

export type Offer = v.InferOutput<typeof offer>
