import { equal, toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { EngineParts } from "./commands/engine-parts.ts"
import { aboutContact, describeMessage } from "./contacts/describe.ts"
import type { Effect } from "./state/decision.ts"
import { notice } from "./state/events.ts"

/** Carries out what the steps of one commit cause, in order; resolves when all listeners have had their events. */
export async function runEffects(parts: EngineParts, effects: readonly Effect[]): Promise<void> {
  parts.outbox.flush()
  if (effects.some(startsTimers)) parts.expiry.rearm()
  for (const effect of effects) await runOrReport(parts, effect)
}

/** The time of a text of ours begins when it has arrived, that of theirs when it was shown. */
function startsTimers({ kind }: Effect): boolean {
  return kind === "receipt" || kind === "read" || kind === "shown"
}

/** One message that cannot be read must not silence those after it. */
async function runOrReport(parts: EngineParts, effect: Effect): Promise<void> {
  try {
    await run(parts, effect)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    parts.events.emit(notice(fault.message))
  }
}

async function run(parts: EngineParts, effect: Effect): Promise<void> {
  const { events, pairing } = parts
  switch (effect.kind) {
    case "message":
      return emitMessage(parts, effect)
    case "receipt":
      emitReceipt(parts, effect)
      return
    case "read":
      return emitRead(parts, effect)
    case "shown":
      return
    case "received":
      afterReceived(parts, effect)
      return
    case "session-replaced":
      afterSessionReplaced(parts, effect)
      return
    case "accepted":
      pairing.onAccepted(effect)
      return
    case "welcomed":
      pairing.onWelcomed(effect)
      return
    case "dropped":
      events.countDropped()
      return
    case "event":
      events.emit(effect.event)
      return
  }
}

type Of<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>

async function emitMessage({ ports, queue, events }: EngineParts, effect: Of<"message">): Promise<void> {
  const record = await ports.store.findMessage(effect.contact, effect.mid)
  const message = record && describeMessage(queue.state(), record)
  if (message !== undefined) events.emit({ kind: "message", message })
}

function emitReceipt({ queue, events }: EngineParts, { contact: id, mid, state }: Of<"receipt">): void {
  const contact = queue.state().contacts.get(id)
  if (contact !== undefined) events.emit({ kind: "receipt", ...aboutContact(contact), id: toHex(mid), state })
}

async function emitRead({ ports, queue, events }: EngineParts, effect: Of<"read">): Promise<void> {
  const contact = queue.state().contacts.get(effect.contact)
  const record = await ports.store.findMessage(effect.contact, effect.mid8)
  if (contact === undefined || record?.mine !== true) return
  events.emit({ kind: "receipt", ...aboutContact(contact), id: toHex(record.mid), state: "read" })
}

function afterReceived({ receipts, gapRequests }: EngineParts, effect: Of<"received">): void {
  if (effect.receiptsWait) receipts.schedule(effect.contact)
  gapRequests.watch(effect.contact)
}

/** The old mailbox is closed where the new session has another; texts that the old session sealed go again. */
function afterSessionReplaced(
  { queue, mailboxes, reencryption }: EngineParts,
  { contact, oldMailbox }: Of<"session-replaced">,
): void {
  const mailbox = queue.state().contacts.get(contact)?.mailbox
  if (mailbox === undefined || !equal(mailbox, oldMailbox)) mailboxes.close(oldMailbox)
  reencryption.start(contact)
}
