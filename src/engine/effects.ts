import { equal, toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { EngineParts } from "./commands/engine-parts.ts"
import { describeConversation } from "./commands/conversations.ts"
import { describeEvent } from "./commands/events.ts"
import { contactIn } from "./state/conversations.ts"
import type { CommittedEffect } from "./state/decision.ts"
import { notice } from "./state/events.ts"
import { runDetached } from "./state/run-detached.ts"
import { stepInput } from "./state/update.ts"
import { enqueueTimer } from "./messages/enqueue.ts"
import { hasUnsealed } from "./state/unsealed.ts"

/** What listeners are sent of so many effects is with them before the next. */
const EFFECTS_AT_ONCE = 16

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Carries out the effects of one commit, in order; resolves when all listeners have received their events. */
export async function runEffects(parts: EngineParts, effects: readonly CommittedEffect[]): Promise<void> {
  parts.outbox.flush()
  if (effects.some(startsTimers)) parts.expiry.rearm()
  for (const [n, effect] of withoutRepeats(effects).entries()) {
    if (n > 0 && n % EFFECTS_AT_ONCE === 0) await turnOfEventLoop()
    await runOrReport(parts, effect)
  }
}

/** Of several changes of one kind to one message in this commit, the last one shows them all. */
function withoutRepeats(effects: readonly CommittedEffect[]): readonly CommittedEffect[] {
  const last = new Map<string, CommittedEffect>()
  for (const effect of effects) {
    const key = changeKey(effect)
    if (key !== undefined) last.set(key, effect)
  }
  return effects.filter((effect) => {
    const key = changeKey(effect)
    return key === undefined || last.get(key) === effect
  })
}

function changeKey(effect: CommittedEffect): string | undefined {
  if (effect.kind !== "recorded" || effect.event.change === undefined) return undefined
  const { conversation, author, id, change } = effect.event
  return `${conversation}/${String(author)}/${toHex(id)}/${change}`
}

/** The timer of a text of ours starts when it is delivered, that of theirs when it is shown. */
function startsTimers(effect: CommittedEffect): boolean {
  return effect.kind === "shown" || (effect.kind === "recorded" && effect.event.state !== null)
}

/** One message that cannot be read must not stop those after it. */
async function runOrReport(parts: EngineParts, effect: CommittedEffect): Promise<void> {
  try {
    await run(parts, effect)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    parts.events.emit(notice(fault.message))
  }
}

async function run(parts: EngineParts, effect: CommittedEffect): Promise<void> {
  const { events, pairing } = parts
  switch (effect.kind) {
    case "recorded":
      return emitRecorded(parts, effect)
    case "shown":
    case "conversation":
      return emitConversation(parts, effect)
    case "received":
      afterReceived(parts, effect)
      return
    case "session-replaced":
      afterSessionReplaced(parts, effect)
      return
    case "ended":
      for (const mailbox of effect.mailboxes) closeUnused(parts, mailbox)
      pairing.onEnded(effect)
      return
    case "bundle-closed":
      closeUnused(parts, effect.mailbox)
      return
    case "unfinished":
      parts.unfinished.rearm()
      return
    case "admitted":
      parts.reencryption.start(effect.device)
      parts.introductions.passOnTo(effect.device)
      parts.rotation.onReceived(effect.device)
      return
    case "accepted":
      pairing.onAccepted(effect)
      return
    case "welcomed":
      pairing.onWelcomed(effect)
      return
    case "introduce":
      parts.introductions.passOn(effect.id)
      return
    case "dated":
      parts.time.onDated(effect.theirs)
      return
    case "dropped":
      events.countDropped()
      return
    case "event":
      events.emit(effect.event)
      return
  }
}

type Of<Kind extends CommittedEffect["kind"]> = Extract<CommittedEffect, { kind: Kind }>

/** A text of theirs that was deleted before it was read is not unread any more. */
async function emitRecorded(parts: EngineParts, { event: record }: Of<"recorded">): Promise<void> {
  const event = await describeEvent(parts, record)
  if (event !== undefined) parts.events.emit(event)
  if (record.change !== "delete" || record.author === null) return
  const contact = contactIn(parts.queue.state(), record.conversation)
  if (contact !== undefined) await emitConversation(parts, { contact })
}

async function emitConversation(
  parts: EngineParts,
  { contact: id }: Pick<Of<"shown" | "conversation">, "contact">,
): Promise<void> {
  const contact = parts.queue.state().contacts.get(id)
  if (contact === undefined) return
  parts.events.emit({ kind: "conversation", conversation: await describeConversation(parts, contact) })
}

function afterReceived(
  { queue, receipts, gapRequests, reencryption, introductions, rotation }: EngineParts,
  effect: Of<"received">,
): void {
  // The session could not seal them, and perhaps can now.
  if (hasUnsealed(queue.state(), effect.device)) reencryption.start(effect.device)
  introductions.passOnTo(effect.device)
  if (effect.receiptsWait) receipts.schedule(effect.device)
  gapRequests.watch(effect.device)
  rotation.onReceived(effect.device)
}

/** The mailbox of a bundle becomes that of the device which answers it; the bundle may be open all the same. */
function closeUnused({ queue, mailboxes }: EngineParts, mailbox: Uint8Array): void {
  const state = queue.state()
  const offers = [...state.offers.values()]
  if (state.mailboxes.has(toHex(mailbox)) || offers.some((offer) => equal(offer.mailbox, mailbox))) return
  mailboxes.close(mailbox)
}

/** Closes the old mailboxes if the new session has another; texts that the old session sealed are sent again. */
function afterSessionReplaced(parts: EngineParts, { device, oldMailboxes }: Of<"session-replaced">): void {
  const { queue, mailboxes, rotation, reencryption, events, ports } = parts
  const { mailboxes: kept } = queue.state()
  oldMailboxes.filter((mailbox) => kept.get(toHex(mailbox)) !== device).forEach(mailboxes.close)
  rotation.onReceived(device)
  reencryption.start(device)
  runDetached(
    events,
    queue.run((state) => enqueueTimer(state, device, stepInput(ports))).then(() => undefined),
  )
}
