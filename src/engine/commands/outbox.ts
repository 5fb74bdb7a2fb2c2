import type { ContentChange } from "../../content/content.ts"
import { fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import type { Results } from "../state/commands.ts"
import { aboutContact } from "../contacts/describe.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { directWith } from "../state/conversations.ts"
import { deliveriesOf, isQueued, waitingTexts, type WaitingText } from "../messages/deliveries.ts"
import { cancelText } from "../messages/cancel.ts"
import { pendingChanges, waitingChange, type PendingChange } from "../messages/waiting-change.ts"
import { NO_REASON } from "../messages/refusals.ts"
import { isUnsealed } from "../state/unsealed.ts"
import { stepInput } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"
import { whyWaiting } from "./why-waiting.ts"

type OutboxEntry = Results["outbox"][number]

/** What is waiting in the outbox, and cancelling it. */
export function outboxCommands(parts: EngineParts): Handlers<"outbox" | "cancel"> {
  const { ports, queue } = parts
  return {
    outbox: async () => [
      ...(await Promise.all(waitingTexts(queue.state()).map((text) => describeText(parts, text)))),
      ...(await listedChanges(parts)).map((change) => describeChange(parts, change)),
    ],
    cancel: async ({ contact: reference, id: digits }) => {
      const { id: contact } = findContact(queue.state(), reference)
      const id = fromHex(digits)
      await queue.run((state) => {
        const isWaiting = deliveriesOf(state, contact, id).some(({ delivered }) => !delivered)
        if (isWaiting) return cancelText(state, contact, id, stepInput(ports))
        throw new Fault(
          "not-found",
          "no such message is waiting: it was delivered or cancelled",
          "mqttchat outbox",
        )
      })
      return null
    },
  }
}

async function describeText(parts: EngineParts, text: WaitingText): Promise<OutboxEntry> {
  const { contact, id, entries } = text
  const conversation = directWith(parts.queue.state(), contact).id
  const message = await parts.ports.store.findMessage({ conversation, author: null, id })
  return {
    ...describe(parts, text),
    kind: "text",
    text: message?.text ?? "",
    storedAt: message?.storedAt ?? oldest(entries),
  }
}

type ListedChange = PendingChange & { readonly text: string }

/** The changes of which something is left to be sent: the message may be deleted here, or was never changed so. */
export async function listedChanges(parts: EngineParts): Promise<ListedChange[]> {
  const listed = await Promise.all(
    pendingChanges(parts.queue.state()).map((change) => withText(parts, change)),
  )
  return listed.flat()
}

async function withText({ ports, queue }: EngineParts, pending: PendingChange): Promise<ListedChange[]> {
  const { contact, change, entries } = pending
  const { author, id } = change
  const conversation = directWith(queue.state(), contact).id
  const now = waitingChange(change, await ports.store.findMessage({ conversation, author, id }))
  if (now === undefined && entries.every(isUnsealed)) return []
  return [{ ...pending, text: now === undefined ? "" : textOf(now) }]
}

function describeChange(parts: EngineParts, { contact, change, entries, text }: ListedChange): OutboxEntry {
  const { id, kind } = change
  return { ...describe(parts, { contact, id, entries }), kind, text, storedAt: oldest(entries) }
}

function textOf(change: ContentChange): string {
  if (change.kind === "delete") return ""
  return change.kind === "edit" ? change.text : change.emoji
}

function oldest(entries: readonly OutgoingRecord[]): number {
  return Math.min(...entries.map(({ createdAt }) => createdAt))
}

/** What the broker refused was tried, and not sent; a message at which the connection ended may have arrived. */
function timesSent({ attempts, refusal }: OutgoingRecord): number {
  return refusal === undefined || refusal.reason === NO_REASON ? attempts : 0
}

function describe(
  parts: EngineParts,
  { contact: contactId, id, entries }: WaitingText,
): Omit<OutboxEntry, "kind" | "text" | "storedAt"> {
  const contact = findContactById(parts.queue.state(), contactId)
  const due = entries.filter((entry) => !isUnsealed(entry)).map(({ dueAt }) => dueAt)
  return {
    ...aboutContact(contact),
    id: toHex(id),
    state: isQueued({ entries }) ? "queued" : "broker",
    attempts: Math.max(...entries.map(timesSent)),
    // Sealed as soon as a session can send.
    nextAt: due.length === 0 ? null : Math.min(...due),
    reason: whyWaiting(parts, contact, entries),
  }
}
