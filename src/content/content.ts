import { keepNewest } from "./versions.ts"
import type { Version } from "./versions.ts"

/** A contact's number; null is the user of this profile. */
export type Person = number | null

/** One person's reaction to a message; empty once it was taken away. */
export type Reaction = { readonly by: Person; readonly emoji: string; readonly time: number }

/** What a message says, and what was said to it. */
export type Content = {
  readonly author: Person
  readonly first: Version
  /** Newest first, as many as are kept. */
  readonly edits: readonly Version[]
  /** By its author's clock, unix ms; null unless its author deleted it for both sides. */
  readonly deletedAt: number | null
  /** At most one of each person; one that was taken away stays, or an older one could come back. */
  readonly reactions: readonly Reaction[]
}

/** `time` is the clock of the person, unix ms. */
export type ContentChange = { readonly by: Person; readonly time: number } & (
  | { readonly kind: "edit"; readonly text: string }
  | { readonly kind: "delete" }
  | { readonly kind: "reaction"; readonly emoji: string }
)

export type ChangeRefusal =
  /** Only its author edits or deletes a message. */
  | "not-author"
  | "deleted"
  /** It came before, or something newer did. */
  | "superseded"

export type ChangeResult =
  | { readonly kind: "changed"; readonly content: Content }
  | { readonly kind: "refused"; readonly why: ChangeRefusal }

/** A new message. */
export function newContent(author: Person, first: Version): Content {
  return { author, first, edits: [], deletedAt: null, reactions: [] }
}

/**
 * Applies one change. Whatever the order of the same changes and however often each comes, the content ends the same
 * [D-92].
 */
export function applyChange(content: Content, change: ContentChange): ChangeResult {
  if (change.kind !== "reaction" && change.by !== content.author) return refused("not-author")
  if (change.kind === "delete") return deleteContent(content, change.time)
  if (content.deletedAt !== null) return refused("deleted")
  const { time } = change
  return change.kind === "edit"
    ? edit(content, { text: change.text, time })
    : react(content, { by: change.by, emoji: change.emoji, time })
}

/** Without its text: the id stays, so that nothing that comes late can bring it back. */
function deleteContent(content: Content, time: number): ChangeResult {
  const { deletedAt, author, first } = content
  // Two devices of the author may delete it.
  if (deletedAt !== null && deletedAt <= time) return refused("superseded")
  const emptied = newContent(author, { text: "", time: first.time })
  return { kind: "changed", content: { ...emptied, deletedAt: time } }
}

function edit(content: Content, version: Version): ChangeResult {
  const edits = keepNewest(content.edits, version)
  return edits === content.edits ? refused("superseded") : { kind: "changed", content: { ...content, edits } }
}

function react(content: Content, reaction: Reaction): ChangeResult {
  const { reactions } = content
  const before = reactions.find(({ by }) => by === reaction.by)
  if (before !== undefined && !isNewer(reaction, before)) return refused("superseded")
  const others = reactions.filter((each) => each !== before)
  return { kind: "changed", content: { ...content, reactions: [...others, reaction] } }
}

/** Of two at the same millisecond the greater counts, so that both sides choose the same. */
function isNewer(reaction: Reaction, before: Reaction): boolean {
  if (reaction.time !== before.time) return reaction.time > before.time
  return Buffer.compare(Buffer.from(reaction.emoji), Buffer.from(before.emoji)) > 0
}

function refused(why: ChangeRefusal): ChangeResult {
  return { kind: "refused", why }
}

/** What the message says now. */
export function newestVersion({ edits, first }: Content): Version {
  return edits[0] ?? first
}

/** What the message said before, oldest first. */
export function earlierVersions({ edits, first }: Content): Version[] {
  return edits.length === 0 ? [] : [first, ...edits.slice(1).reverse()]
}

/** Of this person; undefined if there is none, or it was taken away. */
export function reactionOf({ reactions }: Content, by: Person): Reaction | undefined {
  return reactions.find((each) => each.by === by && each.emoji !== "")
}

/** A time for a change of ours: later than our change before it, even if our clock was set back. */
export function changeTime(content: Content, kind: ContentChange["kind"], now: number): number {
  if (kind === "delete") return now
  const before = kind === "edit" ? content.edits[0] : content.reactions.find(({ by }) => by === null)
  return before === undefined ? now : Math.max(now, before.time + 1)
}
