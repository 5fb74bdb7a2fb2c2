import type { ContactId } from "../../store/records.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Results } from "../state/commands.ts"
import { contactOf } from "../contacts/devices.ts"
import { noChange } from "../state/decision.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { cancelText } from "./cancel.ts"
import { unsentTexts } from "./reencrypt.ts"

/** Messages of one conversation, by their seq; both ends are included. */
type Range = { readonly contact: ContactId; readonly from: number; readonly upTo: number }
type DeleteParts = { readonly ports: Ports; readonly queue: CommitQueue }

/**
 * Deletes messages here. Texts that were never sent are cancelled first: without its text, none could be sealed again
 * for a new session. A frame that was sent stays in the outbox, which cannot read it, until the peer acknowledges it.
 */
export async function deleteMessages(parts: DeleteParts, range: Range): Promise<Results["delete"]> {
  const { ports, queue } = parts
  const { contact, from, upTo } = range
  const cancelled = (await cancelSealed(parts, range)) + (await countUnsealed(parts, range))
  const { messages } = await ports.store.countMessages(contact, from, upTo)
  await queue.run(() => ({
    commit: [{ kind: "delete", contact, from, upTo, at: ports.now() }],
    effects: [{ kind: "conversation", contact }],
    result: null,
  }))
  return { deleted: messages, cancelled }
}

async function cancelSealed({ ports, queue }: DeleteParts, range: Range): Promise<number> {
  let cancelled = 0
  for (const { seq, device, carries } of [...queue.state().outgoing.values()]) {
    if (contactOf(queue.state(), device)?.id !== range.contact || carries === undefined) continue
    const message = await ports.store.findMessage(range.contact, carries.id, true)
    if (message === undefined || !isIn(range, message)) continue
    cancelled += await queue.run((state) => {
      const entry = state.outgoing.get(seq)
      if (entry === undefined || entry.attempts > 0) return noChange(0)
      return { ...cancelText(state, entry, "cancelled", stepInput(ports)), result: 1 }
    })
  }
  return cancelled
}

async function countUnsealed({ ports, queue }: DeleteParts, range: Range): Promise<number> {
  const texts = await unsentTexts(ports, queue, range.contact)
  return texts.filter((text) => isIn(range, text)).length
}

function isIn({ from, upTo }: Range, { seq }: { readonly seq: number }): boolean {
  return seq >= from && seq <= upTo
}
