import { toHex } from "../../crypto/bytes.ts"
import type { Store } from "../../store/message-store.ts"
import type { CarriedChange, StoredMessage } from "../../store/message-records.ts"
import { isOurs } from "../../store/message-states.ts"
import type { ContactId, ConversationId } from "../../store/ids.ts"

/** Of one page of the history; between two the event loop goes on. */
const PAGE = 200
/** More changes than a conversation has in a month; they are small. */
const CHANGES_MAX = 1_000

/** What a device says that it has, and what may be sent to it again. */
export type LostTexts = {
  readonly conversation: ConversationId
  readonly contact: ContactId
  /** Ids of the newest of our texts that it has. */
  readonly have: readonly Uint8Array[]
  /** Texts from before are not sent again. Unix ms. */
  readonly since: number
  readonly now: number
  /** The machine's clock, by which changes are dated. */
  readonly wall: number
  readonly textsMax: number
  readonly bytesMax: number
}

export type ResendPlan = {
  /** Of texts, in the order in which they were written. */
  readonly ids: readonly Uint8Array[]
  /** Older ones are left out, because there are too many. */
  readonly isCut: boolean
  readonly changes: readonly CarriedChange[]
}

const NOTHING: ResendPlan = { ids: [], isCut: false, changes: [] }

type Base = Pick<StoredMessage, "seq" | "storedAt">

/**
 * All that was delivered behind the oldest text that the device names, without those that it names. If it names only texts
 * that we never sent, it is our own store that lost something, and nothing is sent [D-133].
 */
export async function planResend(
  store: Pick<Store, "findMessage" | "knownText" | "history" | "ownChanges">,
  lost: LostTexts,
): Promise<ResendPlan> {
  const base = await findBase(store, lost)
  if (base === undefined) return NOTHING
  const texts = await findTexts(store, lost, base)
  const since = Math.max(lost.since, base.storedAt) + Math.min(0, lost.wall - lost.now)
  return { ...texts, changes: await store.ownChanges(lost.conversation, since, CHANGES_MAX) }
}

/** The oldest text that it names; the beginning, if it names none that is here. */
async function findBase(
  store: Pick<Store, "findMessage" | "knownText">,
  { conversation, have }: LostTexts,
): Promise<Base | undefined> {
  let base: Base | undefined
  let isKnown = have.length === 0
  for (const id of have) {
    const message = await store.findMessage({ conversation, author: null, id })
    if (message === undefined) isKnown ||= (await store.knownText(conversation, id))?.author === null
    else if (base === undefined || message.seq < base.seq) base = message
  }
  return base ?? (isKnown ? { seq: 0, storedAt: 0 } : undefined)
}

async function findTexts(
  store: Pick<Store, "history">,
  lost: LostTexts,
  base: Base,
): Promise<Pick<ResendPlan, "ids" | "isCut">> {
  const named = new Set(lost.have.map(toHex))
  const ids: Uint8Array[] = []
  let bytes = 0
  for await (const message of newestFirst(store, lost.conversation)) {
    if (message.seq <= base.seq || message.storedAt < lost.since) break
    if (named.has(toHex(message.id)) || !isLost(message, lost)) continue
    bytes += Buffer.byteLength(message.text)
    if (ids.length >= lost.textsMax || bytes > lost.bytesMax) return { ids: ids.reverse(), isCut: true }
    ids.push(message.id)
  }
  return { ids: ids.reverse(), isCut: false }
}

async function* newestFirst(
  store: Pick<Store, "history">,
  conversation: ConversationId,
): AsyncGenerator<StoredMessage> {
  let before: number | undefined
  do {
    const page = await store.history(conversation, { limit: PAGE, ...(before !== undefined && { before }) })
    yield* [...page].reverse()
    before = page[0]?.seq
  } while (before !== undefined)
}

/** Whether it is a text that this contact had, which is still there and has not timed out. */
function isLost(message: StoredMessage, { contact, now }: LostTexts): boolean {
  const { deletedAt, expiresAt, supersededKey, recipients } = message
  if (!isOurs(message) || deletedAt !== null || supersededKey !== undefined) return false
  if (expiresAt > 0 && expiresAt <= now) return false
  const state = recipients.find((recipient) => recipient.contact === contact)?.state
  return state === "delivered" || state === "read"
}
