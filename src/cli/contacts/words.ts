import { deferred } from "../../async/deferred.ts"
import type { ChatClient, Contact, Results } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, displayName, joined, safe, type SafeText } from "../../wire/text.ts"

/** A round trip and more where both sides are online; where one is not, no one should sit and wait. */
const WORDS_WITHIN_MS = 5_000

/** The four words after a pairing, set apart so that they are easy to find. */
export function fourWords(name: string, words: readonly string[]): SafeText {
  return safe`\n    ${displayName(name)} says:  ${joined(words.map(display), "  ")}\n`
}

/** Why there are no words yet. */
export function wordsToCome({ name, state }: Contact): SafeText {
  if (state === "init-sent" || state === "recovering")
    return safe`not yet: ${displayName(name)} has not answered`
  return safe`not yet: ${displayName(name)} has not finished the pairing`
}

function ended(reason: string): Fault {
  return new Fault("refused", `the pairing was ended: ${reason}`, "mqttchat pair, by a safer way than before")
}

/** What a person is asked about the words ends when the other side says that they differ: an answer would overrule that. */
export async function unlessRejected<T>(
  client: ChatClient,
  { id }: Contact,
  compare: (rejected: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const stop = client.listen((event) => {
    if (event.kind === "words-rejected" && event.contactId === id) controller.abort(rejected(event.contact))
  })
  try {
    return await compare(controller.signal)
  } finally {
    stop()
  }
}

function rejected(name: string): Fault {
  const why = `${name} says that the words are not the same: one of you may have read them wrongly, or someone is between you`
  return new Fault("refused", why, `compare again: ${shellCommand`mqttchat verify ${name}`}`)
}

/** The words that were there at once, or those that come while both are online; none if the other side is not. */
export async function awaitWords(
  client: ChatClient,
  { contact, words }: Pick<Results["pair-answer"], "contact" | "words">,
): Promise<readonly string[]> {
  if (words.length > 0) return words
  const found = deferred<readonly string[]>()
  const stop = client.listen((event) => {
    if (event.kind === "words" && event.contactId === contact.id) found.resolve(event.words)
    if (event.kind === "pairing-ended" && event.contactId === contact.id) found.reject(ended(event.reason))
  })
  const timer = setTimeout(() => found.resolve([]), WORDS_WITHIN_MS)
  try {
    const known = await client.call("verify", { contact: contact.id })
    return known.words.length > 0 ? known.words : await found.promise
  } finally {
    clearTimeout(timer)
    stop()
  }
}
