import { concat } from "../../crypto/bytes.ts"
import { open, seal } from "../../session/ratchet.ts"
import { decodeSession, encodeSession } from "../../session/snapshot.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { decode, littleEndian } from "../../wire/codec.ts"
import { inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { Book } from "../book.ts"
import { noChange, type Change, type Decision } from "../decision.ts"
import type { Moment } from "../draft.ts"
import { joinInbox, splitInbox } from "../sending/outbound.ts"

const INBOX_BYTES = 32
/** Texts are sent again for so long, so an old device may come back and speak. */
const REMEMBERED_MS = 30 * 24 * 3_600_000

/**
 * The session with a device that its owner went on from: `since u64 | inbox 32 | snapshot`. Nothing that comes in it is
 * shown, but whoever still speaks in it is told [D-35].
 */
export function formerKey(contact: ContactId): string {
  return `former/${contact}`
}

/** What to remember of a contact whose new handshake comes from another device; nothing if it is the same. */
export function rememberFormer(
  book: Book,
  before: ContactRecord,
  after: ContactRecord,
  moment: Moment,
): Change[] {
  const session = book.sessions.get(before.id)
  if (isSameDevice(before, splitInbox(after.peerInbox)) || session === undefined) return []
  const value = concat(littleEndian(moment.now, 8), before.peerInbox, encodeSession(session))
  return [{ kind: "setting", key: formerKey(before.id), value }]
}

export function isSameDevice({ peerInbox }: ContactRecord, { device }: Inbox): boolean {
  return Buffer.compare(splitInbox(peerInbox).device, device) === 0
}

/** A frame in a former session: its sender hears that the conversation went on elsewhere. False for any other frame. */
export function answerFormer(
  book: Book,
  from: ContactId,
  wire: Uint8Array,
  moment: Moment,
): Decision<boolean> {
  const stored = book.settings.get(formerKey(from))
  const former = stored && decodeFormer(stored)
  if (former === undefined || moment.now - former.since > REMEMBERED_MS) return noChange(false)
  const opened = open(former.session, wire, Math.floor(moment.now / 1000))
  if (opened.kind === "refused") return noChange(false)
  const sealed = seal(opened.next, [{ kind: "moved", at: former.since }], moment.random)
  const session = sealed.kind === "sealed" ? sealed.next : opened.next
  const value = concat(littleEndian(former.since, 8), joinInbox(former.inbox), encodeSession(session))
  const commit: Change[] = [{ kind: "setting", key: formerKey(from), value }]
  if (sealed.kind === "sealed") {
    commit.push({
      kind: "outgoing",
      outgoing: {
        seq: book.nextOutgoing,
        contact: from,
        mid: sealed.mid.slice(0, 8),
        kind: "passing",
        carries: undefined,
        topic: inboxTopic(former.inbox),
        wire: sealed.wire,
        published: false,
        attempts: 0,
        dueAt: moment.now,
        createdAt: moment.now,
      },
    })
  }
  return { commit, tell: [], result: true }
}

function decodeFormer(stored: Uint8Array) {
  return decode(stored, (reader) => {
    const since = reader.u64()
    const inbox = splitInbox(reader.bytes(INBOX_BYTES))
    const session = decodeSession(reader.rest())
    return session && { since, inbox, session }
  })
}
