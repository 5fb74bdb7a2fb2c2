import type { CommitQueue } from "../state/commit-queue.ts"
import type { Results } from "../state/commands.ts"
import { directWith } from "../state/conversations.ts"
import { noChange, type Change } from "../state/decision.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { cancelText } from "./cancel.ts"
import { deliveriesOf, waitingTexts } from "./deliveries.ts"
import type { ContactId } from "../../store/ids.ts"

/** Messages of one conversation, by their seq; both ends are included. */
type Range = { readonly contact: ContactId; readonly from: number; readonly upTo: number }
type Wanted = Range & {
  /** With what waits to be shown. */
  readonly isAll?: boolean
}
type DeleteParts = { readonly ports: Ports; readonly queue: CommitQueue }

/**
 * Deletes messages here. Texts that were never sent are cancelled first: without its text, none could be sealed again
 * for a new session. A frame that was sent stays in the outbox, which cannot read it, until the peer acknowledges it.
 */
export async function deleteMessages(parts: DeleteParts, wanted: Wanted): Promise<Results["delete"]> {
  const { ports, queue } = parts
  const { contact, from, upTo, isAll = false } = wanted
  const { id: conversation } = directWith(queue.state(), contact)
  const cancelled = await cancelUnsent(parts, wanted)
  const { messages } = await ports.store.countMessages(conversation, from, upTo)
  const at = ports.now()
  const waiting: Change[] = isAll ? [{ kind: "delete-waiting", contact, at }] : []
  await queue.run(() => ({
    commit: [{ kind: "delete", conversation, from, upTo, at }, ...waiting],
    effects: [{ kind: "conversation", contact }],
    result: null,
  }))
  return { deleted: messages, cancelled }
}

async function cancelUnsent({ ports, queue }: DeleteParts, range: Range): Promise<number> {
  const { id: conversation } = directWith(queue.state(), range.contact)
  let cancelled = 0
  for (const { contact, id } of waitingTexts(queue.state())) {
    if (contact !== range.contact) continue
    const message = await ports.store.findMessage({ conversation, author: null, id })
    if (message === undefined || !isIn(range, message)) continue
    cancelled += await queue.run((state) => {
      const entries = deliveriesOf(state, contact, id)
      const isUntouched = entries.every(({ attempts, delivered }) => attempts === 0 && !delivered)
      if (entries.length === 0 || !isUntouched) return noChange(0)
      return { ...cancelText(state, contact, id, stepInput(ports)), result: 1 }
    })
  }
  return cancelled
}

function isIn({ from, upTo }: Range, { seq }: { readonly seq: number }): boolean {
  return seq >= from && seq <= upTo
}
