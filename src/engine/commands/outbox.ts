import { equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, DeviceRecord, MessageRecord, OutgoingRecord } from "../../store/records.ts"
import type { Results } from "../state/commands.ts"
import { entryKey, type EngineState } from "../state/engine-state.ts"
import { aboutContact } from "../contacts/describe.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { devicesOf, findDeviceById, movedSince, summedState } from "../contacts/devices.ts"
import type { Decision } from "../state/decision.ts"
import { messageStateChange } from "../messages/message-state.ts"
import { allUnsentTexts, unsentTexts } from "../messages/reencrypt.ts"
import { cancelText } from "../messages/cancel.ts"
import { isUncompared } from "../state/send-gate.ts"
import { stepInput } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type OutboxEntry = Results["outbox"][number]

/** What is waiting in the outbox, and cancelling it. */
export function outboxCommands(parts: EngineParts): Handlers<"outbox" | "cancel"> {
  const { ports, queue } = parts
  return {
    outbox: async () => {
      const unsent = await allUnsentTexts(ports, queue)
      const rows = unsent.map((text) => describeUnsent(parts, text))
      for (const entry of queue.state().outgoing.values()) {
        if (entry.carries !== undefined) rows.push(await describe(parts, entry, entry.carries.id))
      }
      return rows
    },
    cancel: async ({ contact: reference, id: digits }) => {
      const { id: contact } = findContact(queue.state(), reference)
      const id = fromHex(digits)
      const unsent = await unsentTexts(ports, queue, contact)
      const isUnsealed = unsent.some((text) => equal(text.id, id))
      await queue.run((state) => {
        const entry = findEntry(state, contact, id)
        if (entry !== undefined) return cancelText(state, entry, "cancelled", stepInput(ports))
        if (isUnsealed) return cancelled(contact, id, ports.now())
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

async function describe(parts: EngineParts, entry: OutgoingRecord, id: Uint8Array): Promise<OutboxEntry> {
  const { ports, queue } = parts
  const device = findDeviceById(queue.state(), entry.device)
  const contact = findContactById(queue.state(), device.contact)
  const message = await ports.store.findMessage(contact.id, id, true)
  const { published, attempts, dueAt, createdAt } = entry
  return {
    ...aboutContact(contact),
    id: toHex(id),
    text: message?.text ?? "",
    state: published ? "broker" : "queued",
    attempts,
    nextAt: dueAt,
    storedAt: message?.storedAt ?? createdAt,
    reason: whyWaiting(parts, contact, [device], published),
  }
}

/** Sealed again as soon as the new session can send. */
function describeUnsent(
  parts: EngineParts,
  { contact: contactId, id, text, state, storedAt }: MessageRecord,
): OutboxEntry {
  const contact = findContactById(parts.queue.state(), contactId)
  return {
    ...aboutContact(contact),
    id: toHex(id),
    text,
    state,
    attempts: 0,
    nextAt: null,
    storedAt,
    reason: whyWaiting(parts, contact, devicesOf(parts.queue.state(), contactId), false),
  }
}

function whyWaiting(
  { broker }: EngineParts,
  contact: ContactRecord,
  devices: readonly DeviceRecord[],
  published: boolean,
): string {
  const connection = broker.status()
  const { name, blocked } = contact
  const state = summedState(devices)
  if (blocked) return `${name} is blocked`
  if (movedSince(devices) > 0) return `${name} now sends to another device of yours`
  if (isUncompared(contact)) return `you have not compared the new key of ${name}`
  if (connection.kind !== "online") return connection.reason
  if (state === "init-sent" || state === "recovering") return `${name} has not answered the handshake yet`
  return published
    ? `the broker has it; ${name} has not acknowledged it yet`
    : "it is on its way to the broker"
}

function findEntry(state: EngineState, contact: number, text: Uint8Array): OutgoingRecord | undefined {
  for (const { id } of devicesOf(state, contact)) {
    const seq = state.byTextId.get(entryKey(id, text))
    if (seq !== undefined) return state.outgoing.get(seq)
  }
  return undefined
}

function cancelled(contact: number, id: Uint8Array, now: number): Decision<null> {
  const { change, effect } = messageStateChange(contact, id, "cancelled", now)
  return { commit: [change], effects: [effect], result: null }
}
