import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { fourWords } from "../../pairing/words.ts"
import type { ContactRecord, MessageRecord, Store } from "../../store/records.ts"
import type { Contact, Event, Message } from "../api.ts"
import type { EngineState } from "./engine-state.ts"
import { describeContact, isUncompared, queuedTexts } from "../contacts/contacts.ts"
import type { Effect } from "./decision.ts"
import type { Paired } from "./ports.ts"

/** Carries what was committed to everybody who listens, in order. */
export type Events = {
  /** Resolves when everybody has heard it. */
  readonly deliver: (effects: readonly Effect[]) => Promise<void>
  readonly emit: (event: Event) => void
  readonly listen: (onEvent: (event: Event) => void) => () => void
  readonly dropped: () => number
}

export type EventsSource = {
  readonly store: Store
  readonly state: () => EngineState
  readonly onWelcomed: (contact: ContactRecord, renamedFrom: string | null) => void
}

export function openEvents({ store, state, onWelcomed }: EventsSource): Events {
  const listeners = new Set<(event: Event) => void>()
  let dropped = 0

  function emit(event: Event): void {
    for (const listener of listeners) listener(event)
  }

  async function deliverOne(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case "message": {
        const record = await store.findMessage(effect.contact, effect.mid)
        const message = record && describeMessage(state(), record)
        if (message !== undefined) emit({ event: "message", message })
        return
      }
      case "receipt": {
        const contact = state().contacts.get(effect.contact)?.name
        if (contact === undefined) return
        emit({ event: "receipt", contact, id: toHex(effect.mid), state: effect.state })
        return
      }
      case "read": {
        const contact = state().contacts.get(effect.contact)?.name
        const record = await store.findMessage(effect.contact, effect.mid8)
        if (contact === undefined || record?.mine !== true) return
        emit({ event: "receipt", contact, id: toHex(record.mid), state: "read" })
        return
      }
      case "welcomed": {
        const contact = state().contacts.get(effect.contact)
        if (contact !== undefined) onWelcomed(contact, effect.renamedFrom)
        return
      }
      case "dropped":
        dropped++
        emit({ event: "dropped", total: dropped })
        return
      case "event":
        emit(effect.event)
        return
    }
  }

  /** One message that cannot be read must not silence those after it. */
  async function deliverOrReport(effect: Effect): Promise<void> {
    try {
      await deliverOne(effect)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      emit({ event: "notice", contact: null, text: fault.message })
    }
  }

  return {
    deliver: async (effects) => {
      for (const each of effects) await deliverOrReport(each)
    },
    emit,
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    dropped: () => dropped,
  }
}

/** Undefined when its contact was forgotten meanwhile. */
export function describeMessage(state: EngineState, record: MessageRecord): Message | undefined {
  const contact = state.contacts.get(record.contact)
  if (contact === undefined) return undefined
  const { seq, mine, kind, text, sentAt, storedAt, state: messageState, timer, expiresAt } = record
  return {
    id: toHex(record.mid),
    seq,
    contact: contact.name,
    mine,
    kind,
    text,
    sentAt,
    storedAt,
    state: messageState,
    trusted: mine || kind === "line" || !isUncompared(contact) || storedAt < contact.changedAt,
    timer,
    expiresAt: expiresAt === 0 ? null : expiresAt,
  }
}

/** A contact as it stands after a handshake: nothing of it has been read yet. */
export function describePaired(
  state: EngineState,
  contact: ContactRecord,
  outcome: { readonly known: boolean; readonly renamedFrom: string | null },
): Paired {
  return { contact: describeAlone(state, contact), words: fourWords(contact.sas), ...outcome }
}

export function describeAlone(state: EngineState, contact: ContactRecord): Contact {
  return describeContact(contact, { unread: 0, queued: queuedTexts(state, contact.id) })
}
