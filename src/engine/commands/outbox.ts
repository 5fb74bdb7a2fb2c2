import { fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import type { Results } from "../state/commands.ts"
import { aboutContact } from "../contacts/describe.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { directWith } from "../state/conversations.ts"
import { findDeviceById, movedSince, summedState } from "../contacts/devices.ts"
import { deliveriesOf, isQueued, waitingTexts, type WaitingText } from "../messages/deliveries.ts"
import { cancelText } from "../messages/cancel.ts"
import { isUncompared } from "../state/send-gate.ts"
import { isUnsealed } from "../state/unsealed.ts"
import { stepInput } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type OutboxEntry = Results["outbox"][number]

/** What is waiting in the outbox, and cancelling it. */
export function outboxCommands(parts: EngineParts): Handlers<"outbox" | "cancel"> {
  const { ports, queue } = parts
  return {
    outbox: () => Promise.all(waitingTexts(queue.state()).map((text) => describe(parts, text))),
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

async function describe(parts: EngineParts, text: WaitingText): Promise<OutboxEntry> {
  const { ports, queue } = parts
  const { id, entries } = text
  const contact = findContactById(queue.state(), text.contact)
  const devices = entries.map(({ device }) => findDeviceById(queue.state(), device))
  const message = await ports.store.findMessage({
    conversation: directWith(queue.state(), contact.id).id,
    author: null,
    id,
  })
  const published = !isQueued(text)
  const due = entries.filter((entry) => !isUnsealed(entry)).map(({ dueAt }) => dueAt)
  return {
    ...aboutContact(contact),
    id: toHex(id),
    text: message?.text ?? "",
    state: published ? "broker" : "queued",
    attempts: Math.max(...entries.map(({ attempts }) => attempts)),
    // Sealed as soon as a session can send.
    nextAt: due.length === 0 ? null : Math.min(...due),
    storedAt: message?.storedAt ?? Math.min(...entries.map(({ createdAt }) => createdAt)),
    reason: whyWaiting(parts, contact, devices, published),
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
  if (contact.lockedAt > 0) return `the account of ${name} was changed in two ways that contradict each other`
  if (isUncompared(contact)) return `you have not compared the new key of ${name}`
  if (connection.kind !== "online") return connection.reason
  if (state === "init-sent" || state === "recovering") return `${name} has not answered the handshake yet`
  return published
    ? `the broker has it; ${name} has not acknowledged it yet`
    : "it is on its way to the broker"
}
