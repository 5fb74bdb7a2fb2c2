import fc from "fast-check"
import { expect, test } from "vitest"
import {
  applyChange,
  changeTime,
  earlierVersions,
  newContent,
  newestVersion,
  reactionOf,
  type Content,
  type ContentChange,
} from "../../src/content/content.ts"

const ALICE = 1
const BOB = null
const message = () => newContent(ALICE, { text: "see you at 7", time: 1_000 })

function all(content: Content, ...changes: readonly ContentChange[]): Content {
  return changes.reduce((before, change) => {
    const result = applyChange(before, change)
    return result.kind === "changed" ? result.content : before
  }, content)
}

const edit = (text: string, time: number, by: number | null = ALICE): ContentChange => ({
  kind: "edit",
  by,
  time,
  text,
})
const deletion = (time: number, by: number | null = ALICE): ContentChange => ({
  kind: "delete",
  by,
  time,
})
const reaction = (emoji: string, time: number, by: number | null = BOB): ContentChange => ({
  kind: "reaction",
  by,
  time,
  emoji,
})
const why = (content: Content, change: ContentChange) => {
  const result = applyChange(content, change)
  return result.kind === "refused" ? result.why : undefined
}

test("[D-91] an edit says something new, and what was said before is kept", () => {
  const edited = all(message(), edit("see you at 8", 2_000), edit("see you at 9", 3_000))
  expect(newestVersion(edited)).toEqual({ text: "see you at 9", time: 3_000 })
  expect(earlierVersions(edited)).toEqual([
    { text: "see you at 7", time: 1_000 },
    { text: "see you at 8", time: 2_000 },
  ])
  expect(newestVersion(message()).text).toBe("see you at 7")
  expect(earlierVersions(message())).toEqual([])
})

test("[D-91] an edit counts against the first text even if its author's clock was set back meanwhile", () => {
  expect(newestVersion(all(message(), edit("at 8", 10))).text).toBe("at 8")
})

test("[D-91] an older edit that comes late joins the history, and the same one is refused", () => {
  const late = all(message(), edit("at 9", 3_000), edit("at 8", 2_000))
  expect(newestVersion(late).text).toBe("at 9")
  expect(earlierVersions(late).map(({ text }) => text)).toEqual(["see you at 7", "at 8"])
  const last = all(late, edit("at 10", 4_000))
  expect(earlierVersions(last).map(({ text }) => text)).toEqual(["see you at 7", "at 8", "at 9"])
  expect(why(late, edit("at 8", 2_000))).toBe("superseded")
  expect(why(late, edit("at 9", 3_000))).toBe("superseded")
})

test("[D-91] only its author edits or deletes a message, and everybody may react", () => {
  expect(why(message(), edit("see you never", 2_000, BOB))).toBe("not-author")
  expect(why(message(), deletion(2_000, BOB))).toBe("not-author")
  expect(why(newContent(BOB, { text: "mine", time: 1 }), edit("yours", 2_000, ALICE))).toBe("not-author")
  const liked = all(message(), reaction("👍", 2_000, BOB), reaction("❤️", 2_000, ALICE))
  expect(reactionOf(liked, BOB)?.emoji).toBe("👍")
  expect(reactionOf(liked, ALICE)?.emoji).toBe("❤️")
})

test("[D-91] a deletion is final: it takes text, edits and reactions, and nothing later counts", () => {
  const before = all(message(), edit("at 8", 2_000), reaction("👍", 2_500))
  const gone = all(before, deletion(3_000))
  expect(gone).toEqual({
    author: ALICE,
    first: { text: "", time: 1_000 },
    edits: [],
    deletedAt: 3_000,
    reactions: [],
  })
  expect(why(gone, edit("back", 9_000))).toBe("deleted")
  expect(why(gone, reaction("👍", 9_000))).toBe("deleted")
  expect(why(gone, deletion(3_000))).toBe("superseded")
  expect(why(gone, deletion(4_000))).toBe("superseded")
  expect(all(gone, deletion(2_000)).deletedAt).toBe(2_000)
  expect(all(message(), deletion(0)).deletedAt).toBe(0)
})

test("[D-91] a newer reaction replaces the one before, an empty one takes it away, an older one does not count", () => {
  const replaced = all(message(), reaction("👍", 2_000), reaction("👎", 3_000))
  expect(replaced.reactions).toHaveLength(1)
  expect(reactionOf(replaced, BOB)?.emoji).toBe("👎")
  expect(why(replaced, reaction("👎", 3_000))).toBe("superseded")
  const removed = all(replaced, reaction("", 4_000))
  expect(reactionOf(removed, BOB)).toBeUndefined()
  expect(why(removed, reaction("👍", 3_500))).toBe("superseded")
  expect(reactionOf(all(removed, reaction("🎉", 5_000)), BOB)?.emoji).toBe("🎉")
})

test("[D-92] of two at the same millisecond both sides choose the same", () => {
  const [a, b] = [edit("a", 2_000), edit("b", 2_000)]
  expect(all(message(), a, b)).toEqual(all(message(), b, a))
  expect(newestVersion(all(message(), a, b)).text).toBe("b")
  const [up, none] = [reaction("👍", 2_000), reaction("", 2_000)]
  expect(all(message(), up, none)).toEqual(all(message(), none, up))
  expect(reactionOf(all(message(), up, none), BOB)?.emoji).toBe("👍")
})

const anyPerson = fc.constantFrom<number | null>(ALICE, BOB)
const anyTime = fc.nat(6)
const anyChange: fc.Arbitrary<ContentChange> = fc.oneof(
  fc.record({
    kind: fc.constant("edit" as const),
    by: anyPerson,
    time: anyTime,
    text: fc.constantFrom("a", "b", "ß", "\u{1f600}", "x".repeat(90_000)),
  }),
  fc.record({
    kind: fc.constant("reaction" as const),
    by: anyPerson,
    time: anyTime,
    emoji: fc.constantFrom("", "👍", "❤️", "\uffe6"),
  }),
  fc.record({ kind: fc.constant("delete" as const), by: anyPerson, time: anyTime }),
)
const mostlyNoDelete = fc.array(
  anyChange.filter(({ kind }) => kind !== "delete"),
  { maxLength: 40 },
)
const byPerson = ({ reactions, ...rest }: Content) => ({
  ...rest,
  reactions: [...reactions].sort((a, b) => (a.by ?? 0) - (b.by ?? 0)),
})

test("[D-92] any order and any repeats of the same changes end the same", () => {
  const changes = fc.tuple(mostlyNoDelete, fc.array(anyChange, { maxLength: 3 })).map((lists) => lists.flat())
  const two = changes.chain((list) =>
    fc.tuple(
      fc.shuffledSubarray(list, { minLength: list.length }),
      fc.shuffledSubarray([...list, ...list], { minLength: 2 * list.length }),
    ),
  )
  fc.assert(
    fc.property(two, ([once, twice]) => {
      expect(byPerson(all(message(), ...once))).toEqual(byPerson(all(message(), ...twice)))
    }),
    { numRuns: 2_000 },
  )
})

test("[D-92] who gets only the newest of each person's changes sees the same as who got all", () => {
  const visible = (content: Content) => ({
    now: newestVersion(content).text,
    isDeleted: content.deletedAt !== null,
    reactions: [ALICE, BOB].map((by) => reactionOf(content, by)?.emoji),
  })
  fc.assert(
    fc.property(mostlyNoDelete, fc.option(fc.constant(deletion(3))), (changes, last) => {
      const sender = all(message(), ...changes, ...(last === null ? [] : [last]))
      const { edits, reactions, deletedAt } = sender
      const resent: ContentChange[] = [
        ...edits.slice(0, 1).map(({ text, time }) => edit(text, time)),
        ...reactions.map(({ by, emoji, time }) => reaction(emoji, time, by)),
        ...(deletedAt === null ? [] : [deletion(deletedAt)]),
      ]
      expect(visible(all(message(), ...resent.reverse()))).toEqual(visible(sender))
    }),
    { numRuns: 1_000 },
  )
})

test("[D-93] a change of ours is later than our one before it, even if our clock was set back", () => {
  const mine = newContent(BOB, { text: "first", time: 5_000 })
  expect(changeTime(mine, "edit", 100)).toBe(100)
  const edited = all(
    mine,
    edit("second", 9_000, BOB),
    reaction("👍", 8_000, BOB),
    reaction("❤️", 20_000, ALICE),
  )
  expect(changeTime(edited, "edit", 100)).toBe(9_001)
  expect(changeTime(edited, "edit", 9_000)).toBe(9_001)
  expect(changeTime(edited, "edit", 30_000)).toBe(30_000)
  expect(changeTime(edited, "reaction", 100)).toBe(8_001)
  expect(changeTime(all(mine, reaction("❤️", 20_000, ALICE)), "reaction", 100)).toBe(100)
  expect(changeTime(edited, "delete", 100)).toBe(100)
})
