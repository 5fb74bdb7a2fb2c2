import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { EVENTS_KEPT } from "../../store/event-log.ts"
import type { EventRecord } from "../../store/records.ts"
import { contactIn } from "../state/conversations.ts"
import { aboutContact, describeMessage } from "../contacts/describe.ts"
import type { RecordedEvent } from "../state/events.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type EventParts = Pick<EngineParts, "ports" | "queue">

/** Reading the event log. */
export function eventCommands(parts: EventParts): Handlers<"events"> {
  const { ports, queue } = parts
  return {
    events: async ({ since, limit }) => {
      const last = queue.state().nextEvent - 1
      if (since === undefined) return { events: [], number: last }
      refuseOutOfLog(since, last)
      const records = await ports.store.events(since, limit)
      const events: RecordedEvent[] = []
      for (const record of records) {
        const event = await describeEvent(parts, record)
        if (event !== undefined) events.push(event)
      }
      return { events, number: records.at(-1)?.number ?? Math.max(since, last) }
    },
  }
}

function refuseOutOfLog(since: number, last: number): void {
  const hint = `continue from ${last}, the last event; history has the messages`
  if (since > last) throw new Fault("not-found", `this profile has no event ${since} yet`, hint)
  if (since < last - EVENTS_KEPT)
    throw new Fault("not-found", `the events after ${since} are no longer kept`, hint)
}

const CHANGED = { edit: "edited", delete: "deleted", reaction: "reaction" } as const

/** The event as it is now; undefined if its message has disappeared or its contact was forgotten. */
export async function describeEvent(
  { ports, queue }: EventParts,
  { number, state, change, ...name }: EventRecord,
): Promise<RecordedEvent | undefined> {
  const contactId = contactIn(queue.state(), name.conversation)
  const contact = contactId === undefined ? undefined : queue.state().contacts.get(contactId)
  if (contact === undefined) return undefined
  if (state !== null) return { kind: "receipt", number, ...aboutContact(contact), id: toHex(name.id), state }
  const record = await ports.store.findMessage(name)
  const message = record && describeMessage(queue.state(), record)
  if (message === undefined) return undefined
  return change === undefined
    ? { kind: "message", number, message }
    : { kind: "changed", number, change: CHANGED[change], message }
}
