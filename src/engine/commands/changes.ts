import { SerialQueue } from "../../async/serial-queue.ts"
import type { ContentChange } from "../../content/content.ts"
import { fromHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { authorTagOf } from "../contacts/authors.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { devicesOf } from "../contacts/devices.ts"
import { describeMessage } from "../contacts/describe.ts"
import { enqueueChange } from "../messages/enqueue-change.ts"
import { directWith } from "../state/conversations.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactReference, Message } from "../state/shapes.ts"
import { stepInput } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"
import { checkText, notNow, refuseSending, refuseWithoutRoom } from "./messages.ts"
import { withoutDraft } from "./sent-draft.ts"
import { changeFor, checkEmoji, type Wanted } from "./wanted-change.ts"
import type { StoredMessage } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

type Subject = {
  readonly contact: ContactReference
  readonly id: string
  /** What was typed is removed as the draft. */
  readonly fromDraft?: boolean
}

/** Changes a message for both sides; resolves with it as it is then. */
export type MessageChanger = (subject: Subject, wanted: Wanted) => Promise<Message>

/** One change at a time, for each is later than the one before it [D-93]. */
export function openMessageChanger(parts: EngineParts): MessageChanger {
  const changes = new SerialQueue()
  return (subject, wanted) => changes.run(() => changeMessage(parts, subject, wanted))
}

export function changeCommands(parts: EngineParts, change: MessageChanger): Handlers<"edit" | "react"> {
  return {
    edit: async ({ text, ...subject }) => {
      checkText(parts, text)
      return change(subject, { kind: "edit", text })
    },
    react: async ({ emoji, ...subject }) => {
      checkEmoji(emoji)
      return change(subject, { kind: "reaction", emoji: emoji ?? "" })
    },
  }
}

async function changeMessage(
  parts: EngineParts,
  { contact: reference, id, fromDraft = false }: Subject,
  wanted: Wanted,
): Promise<Message> {
  const { ports, queue } = parts
  const contact = findContact(queue.state(), reference)
  const message = await findMessage(parts, contact.id, fromHex(id))
  if (message === undefined) throw noMessage(id)
  const change = changeFor({ message, name: contact.name }, wanted, ports.wallClock())
  if (change !== undefined) await commitChange(parts, { contact: contact.id, message, change, fromDraft })
  else if (fromDraft) await queue.run((state) => withoutDraft(state, contact.id, noChange(null)))
  const changed = await ports.store.findMessage(message)
  const described = changed && describeMessage(queue.state(), changed)
  if (described === undefined) throw noMessage(id)
  return described
}

/** Two people may choose one id: then it is ours, which we may edit and delete. */
async function findMessage(
  { ports, queue }: EngineParts,
  contact: ContactId,
  id: Uint8Array,
): Promise<StoredMessage | undefined> {
  const { id: conversation } = directWith(queue.state(), contact)
  const ours = await ports.store.findMessage({ conversation, author: null, id })
  return ours ?? ports.store.findMessage({ conversation, author: contact, id })
}

type Change = {
  readonly contact: ContactId
  readonly message: StoredMessage
  readonly change: ContentChange
  readonly fromDraft: boolean
}

async function commitChange(parts: EngineParts, change: Change): Promise<void> {
  // A handshake in between leaves older texts and changes unsent; they go first.
  const isDone = (await enqueue(parts, change)) || (await enqueue(parts, change))
  if (!isDone) throw notNow(findContactById(parts.queue.state(), change.contact).name)
}

async function enqueue(parts: EngineParts, change: Change): Promise<boolean> {
  const { queue, reencryption } = parts
  const devices = devicesOf(queue.state(), change.contact)
  await Promise.all(devices.map(({ id }) => reencryption.done(id)))
  return queue.run((state) => decideChange(parts, state, change))
}

function decideChange(
  { ports }: EngineParts,
  state: EngineState,
  { contact: id, message, change, fromDraft }: Change,
): Decision<boolean> {
  const contact = findContactById(state, id)
  refuseSending(state, contact)
  if (change.kind !== "delete") refuseWithoutRoom(state, contact)
  const authorTag = authorTagOf(state, message.author)
  if (authorTag === undefined) throw notNow(contact.name)
  const own = { message, authorTag, change }
  const { commit, effects, result } = enqueueChange(state, id, own, stepInput(ports))
  if (result.kind === "posted") {
    const changed = { commit, effects, result: true }
    return fromDraft ? withoutDraft(state, id, changed) : changed
  }
  if (result.why === "older-first") return noChange(false)
  throw notNow(contact.name)
}

function noMessage(id: string): Fault {
  return new Fault("not-found", `there is no message ${id}`, "mqttchat history NAME --ids")
}
