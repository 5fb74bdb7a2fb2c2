import { bytes, integer, integerOrNull, oneOf, text } from "./fields.ts"
import { table } from "./table.ts"

/** An introduction's local number: 1, 2, 3, ... and never used again. */
export type IntroductionId = number

export type IntroductionState =
  /** The owner was asked whether the initiator may be introduced, and has not answered. */
  | "asked"
  /** The owner has agreed, and its bundle is on its way. */
  | "agreed"
  /** The initiator was given the owner's bundle, and has not answered it. */
  | "introduced"
  /** The bundle was answered: there is a contact. */
  | "answered"
  /** A person said no; the introducer is not told. */
  | "refused"

/** Its contacts are given by their local numbers. */
export type IntroductionRecord = {
  readonly id: IntroductionId
  /** What we are in it: the one who introduces, the owner of the bundle, or the one who answers the bundle. */
  readonly role: "introducer" | "owner" | "initiator"
  readonly state: IntroductionState
  /** The introducer; in an introduction of our own the owner. */
  readonly contact: number
  /** In an introduction of our own the initiator. */
  readonly initiator: number | null
  /** Account id of the one whom `contact` is to meet, or who is to be met through `contact`; 32 bytes. */
  readonly account: Uint8Array
  /** What the introducer calls that one. */
  readonly name: string
  /** The owner's bundle, 1402 bytes; empty until there is one. */
  readonly bundle: Uint8Array
  /** When it began here, unix ms. */
  readonly since: number
}

/** Who introduced a contact: an account id, and what we called that account then. */
export type IntroducedBy = { readonly account: Uint8Array; readonly name: string }

export type IntroductionWrite =
  | { readonly kind: "introduction"; readonly introduction: IntroductionRecord }
  | { readonly kind: "introduction-done"; readonly id: IntroductionId }

export const INTRODUCTIONS = table<IntroductionRecord>("introductions", ["id"], {
  id: integer,
  role: oneOf(["introducer", "owner", "initiator"]),
  state: oneOf(["asked", "agreed", "introduced", "answered", "refused"]),
  contact: integer,
  initiator: integerOrNull,
  account: bytes,
  name: text,
  bundle: bytes,
  since: integer,
})

export const CREATE_INTRODUCTIONS = `
  CREATE TABLE introductions (
    -- AUTOINCREMENT: a person answers by this number, which never comes back.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    role TEXT NOT NULL CHECK (role IN ('introducer', 'owner', 'initiator')),
    state TEXT NOT NULL CHECK (state IN ('asked', 'agreed', 'introduced', 'answered', 'refused')),
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    initiator INTEGER REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    account BLOB NOT NULL,
    name TEXT NOT NULL,
    bundle BLOB NOT NULL,
    since INTEGER NOT NULL
  ) STRICT;
`
