import { concat } from "../../crypto/bytes.ts"
import { open, seal } from "../../session/ratchet.ts"
import { decodeSession, encodeSession } from "../../session/snapshot.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { DAY_MS } from "../../time-units.ts"
import { decode, littleEndian } from "../../wire/codec.ts"
import { inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import type { StepInput } from "../state/update.ts"
import { joinInbox, splitInbox } from "../../wire/topics.ts"

const INBOX_BYTES = 32
/** Texts are sent again for so long, so an old device may come back and speak. */
const REMEMBERED_MS = 30 * DAY_MS

/**
 * The session with a device that its owner went on from: `since u64 | inbox 32 | snapshot`. Nothing that comes in it is
 * shown, but whoever still speaks in it is told [D-35].
 */
export function supersededKey(contact: ContactId): string {
  return `former/${contact}`
}

/** What to remember of a contact whose new handshake comes from another device; nothing if it is the same. */
export function keepSuperseded(
  state: EngineState,
  previous: ContactRecord,
  after: ContactRecord,
  input: StepInput,
): Change[] {
  const session = state.sessions.get(previous.id)
  if (isSameDevice(previous, splitInbox(after.peerInbox)) || session === undefined) return []
  const value = concat(littleEndian(input.now, 8), previous.peerInbox, encodeSession(session))
  return [{ kind: "setting", key: supersededKey(previous.id), value }]
}

export function isSameDevice({ peerInbox }: ContactRecord, { device }: Inbox): boolean {
  return Buffer.compare(splitInbox(peerInbox).device, device) === 0
}

/** A frame in a former session: its sender hears that the conversation went on elsewhere. False for any other frame. */
export function answerSuperseded(
  state: EngineState,
  from: ContactId,
  wire: Uint8Array,
  input: StepInput,
): Decision<boolean> {
  const stored = state.settings.get(supersededKey(from))
  const superseded = stored && decodeSuperseded(stored)
  if (superseded === undefined || input.now - superseded.since > REMEMBERED_MS) return noChange(false)
  const opened = open(superseded.session, wire, Math.floor(input.now / 1000))
  if (opened.kind === "refused") return noChange(false)
  const sealed = seal(opened.next, [{ kind: "moved", at: superseded.since }], input.random)
  const session = sealed.kind === "sealed" ? sealed.next : opened.next
  const value = concat(littleEndian(superseded.since, 8), joinInbox(superseded.inbox), encodeSession(session))
  const commit: Change[] = [{ kind: "setting", key: supersededKey(from), value }]
  if (sealed.kind === "sealed") {
    commit.push({
      kind: "outgoing",
      outgoing: {
        seq: state.nextOutgoing,
        contact: from,
        mid: sealed.mid.slice(0, 8),
        kind: "passing",
        carries: undefined,
        topic: inboxTopic(superseded.inbox),
        wire: sealed.wire,
        published: false,
        attempts: 0,
        dueAt: input.now,
        createdAt: input.now,
      },
    })
  }
  return { commit, effects: [{ kind: "received", contact: from, receiptsWait: false }], result: true }
}

function decodeSuperseded(stored: Uint8Array) {
  return decode(stored, (reader) => {
    const since = reader.u64()
    const inbox = splitInbox(reader.bytes(INBOX_BYTES))
    const session = decodeSession(reader.rest())
    return session && { since, inbox, session }
  })
}
