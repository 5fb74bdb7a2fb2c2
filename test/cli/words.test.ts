import { describe, expect, test } from "vitest"
import { awaitWords, wordsToCome } from "../../src/cli/contacts/words.ts"
import { contactRow } from "../../src/cli/terminal/format.ts"
import type { ChatClient, Contact, Event } from "../../src/engine/api.ts"

const WORDS = ["grace", "capable", "decline", "reopen"]

const MALLORY: Contact = {
  ...{
    id: 7,
    name: "mallory",
    fingerprint: "0123456789abcdef0123",
    state: "unconfirmed",
    pairing: "unfinished",
  },
  ...{ verified: false, blocked: false, keyChangedAt: null, accountLockedAt: null, deviceReplacedAt: null },
  ...{ devices: [], introducedBy: null, readReceipts: false, typingIndicators: false, receiptDelayMs: 0 },
  ...{ timerSeconds: 0, addedAt: 0, unread: 0, queued: 0 },
}

/** A client that knows these words, and whose engine says one thing a moment later. */
function clientWith(words: string[], later?: Event): ChatClient {
  let listener: (event: Event) => void = () => undefined
  return {
    call: (() => {
      if (later !== undefined) setImmediate(() => listener(later))
      return Promise.resolve({ contact: MALLORY, words, safetyNumber: [] })
    }) as ChatClient["call"],
    listen: (receive) => {
      listener = receive
      return () => undefined
    },
    close: () => Promise.resolve(),
  }
}

const unfinished = { contact: MALLORY, words: [] }

describe("after a pairing the words", () => {
  test("are there at once for the side that answered", async () => {
    expect(await awaitWords(clientWith([]), { contact: MALLORY, words: WORDS })).toEqual(WORDS)
  })

  test("may have come before anyone listens", async () => {
    expect(await awaitWords(clientWith(WORDS), unfinished)).toEqual(WORDS)
  })

  test("come with their event, for the side that made the offer", async () => {
    const event: Event = { kind: "words", contact: "mallory", contactId: 7, words: WORDS }
    expect(await awaitWords(clientWith([], event), unfinished)).toEqual(WORDS)
  })

  test("never come if the other side showed something else: the pairing fails", async () => {
    const event: Event = {
      ...{ kind: "pairing-ended", contact: "mallory", contactId: 7 },
      ...{ reason: "someone may be between you", forgotten: true },
    }
    await expect(awaitWords(clientWith([], event), unfinished)).rejects.toMatchObject({
      code: "refused",
      message: "the pairing was ended: someone may be between you",
    })
  })
})

test("a pairing whose words are missing is shown as unfinished, and says whose turn it is", () => {
  expect(contactRow(MALLORY)).toMatch(/^UNVERIFIED {2}.* mallory {2}\(has not finished the pairing\)$/)
  expect(contactRow({ ...MALLORY, pairing: "done" })).toMatch(/mallory$/)
  expect(wordsToCome(MALLORY)).toBe("not yet: mallory has not finished the pairing")
  expect(wordsToCome({ ...MALLORY, state: "init-sent" })).toBe("not yet: mallory has not answered")
})
