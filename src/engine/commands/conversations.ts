import { Fault } from "../../errors.ts"
import { type ContactRecord, type ConversationRecord, MUTED_FOREVER } from "../../store/records.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { findContact } from "../contacts/contacts.ts"
import { isHidden } from "../accounts/unfinished.ts"
import { directWith } from "../state/conversations.ts"
import { mutingOf } from "../contacts/conversations.ts"
import { aboutContact, describeMessage } from "../contacts/describe.ts"
import { type Decision, noChange } from "../state/decision.ts"
import type { Ports } from "../state/ports.ts"
import type { Conversation, ContactReference } from "../state/shapes.ts"
import { stepInput } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type Parts = Pick<EngineParts, "ports" | "queue">

/** What is kept for each conversation: its draft, whether it is muted, and what is unread in it. */
export function conversationCommands(
  parts: Parts,
): Handlers<"conversations" | "set-draft" | "mute" | "unmute"> {
  const { ports, queue } = parts
  return {
    conversations: async () => {
      const unread = await ports.store.unshownCounts()
      const state = queue.state()
      const contacts = [...state.contacts.values()].filter((contact) => !isHidden(state, contact))
      return Promise.all(
        contacts.map((contact) =>
          describe(parts, contact, unread.get(directWith(queue.state(), contact.id).id) ?? 0),
        ),
      )
    },
    "set-draft": async ({ contact, text: draft }) => {
      checkDraft(draft)
      await set(parts, contact, { draft })
      return null
    },
    mute: ({ contact, until }) => setMuting(parts, contact, mutedUntil(until, ports)),
    unmute: ({ contact }) => setMuting(parts, contact, 0),
  }
}

/** With what is unread there now. */
export async function describeConversation(parts: Parts, contact: ContactRecord): Promise<Conversation> {
  return describe(
    parts,
    contact,
    await parts.ports.store.countUnshown(directWith(parts.queue.state(), contact.id).id),
  )
}

async function describe(
  { ports, queue }: Parts,
  contact: ContactRecord,
  unread: number,
): Promise<Conversation> {
  const conversation = directWith(queue.state(), contact.id)
  const [last] = await ports.store.history(conversation.id, { limit: 1 })
  return {
    kind: "direct",
    ...aboutContact(contact),
    unread,
    draft: conversation.draft,
    ...mutingOf(conversation, stepInput(ports)),
    last: (last && describeMessage(queue.state(), last)) ?? null,
  }
}

async function setMuting(parts: Parts, reference: ContactReference, until: number): Promise<Conversation> {
  const contact = await set(parts, reference, { mutedUntil: until })
  return describeConversation(parts, contact)
}

/** A value that is there already costs no commit. */
function set(
  { queue }: Parts,
  reference: ContactReference,
  change: Partial<Pick<ConversationRecord, "draft" | "mutedUntil">>,
): Promise<ContactRecord> {
  return queue.run((state): Decision<ContactRecord> => {
    const contact = findContact(state, reference)
    const before = directWith(state, contact.id)
    const conversation = { ...before, ...change }
    if (conversation.draft === before.draft && conversation.mutedUntil === before.mutedUntil)
      return noChange(contact)
    return {
      commit: [{ kind: "conversation", conversation }],
      effects: [{ kind: "conversation", contact: contact.id }],
      result: contact,
    }
  })
}

/** A person says it by the machine's clock. */
function mutedUntil(until: number | null, ports: Ports): number {
  if (until === null) return MUTED_FOREVER
  const ms = until - ports.wallClock()
  if (ms > 0) return Math.min(Math.ceil(ports.now() + ms), MUTED_FOREVER)
  throw new Fault("usage", "that time is over already", "mqttchat contacts mute NAME --for 8h")
}

/** As long as a message may be: what is longer could not be sent. */
function checkDraft(draft: string): void {
  const bytes = Buffer.byteLength(draft, "utf8")
  if (bytes <= TEXT_MAX_BYTES) return
  throw new Fault("bad-data", `a draft has at most ${TEXT_MAX_BYTES} bytes, this one has ${bytes}`)
}
