import { LIST_MAX } from "../../wire/frame.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { contactIn } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { StepInput } from "../state/update.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import type { StoredMessage } from "../../store/message-records.ts"
import type { ContactId, ConversationId } from "../../store/ids.ts"

/** Marks messages as shown, which are all the unshown ones of a conversation in their range, oldest first, and sends read receipts to the contacts that may have them. */
export async function markRead(
  { ports, queue }: { readonly ports: Ports; readonly queue: CommitQueue },
  messages: readonly StoredMessage[],
): Promise<void> {
  for (const [conversation, shown] of byConversation(messages)) {
    await queue.run((state) => markShown(state, conversation, shown, stepInput(ports)))
  }
}

function byConversation(messages: readonly StoredMessage[]): Map<ConversationId, StoredMessage[]> {
  const found = new Map<ConversationId, StoredMessage[]>()
  for (const message of messages) {
    const others = found.get(message.conversation)
    if (others === undefined) found.set(message.conversation, [message])
    else others.push(message)
  }
  return found
}

function markShown(
  state: EngineState,
  conversation: ConversationId,
  shown: readonly StoredMessage[],
  input: StepInput,
): Decision<null> {
  const [after, upTo] = [(shown[0]?.seq ?? 0) - 1, shown.at(-1)?.seq ?? 0]
  const mark: Change = { kind: "shown", conversation, after, upTo, at: input.now }
  const contact = contactIn(state, conversation)
  if (contact === undefined) return noChange(null)
  const receipts = sendReadReceipts(state, contact, shown, input)
  return {
    commit: [...receipts.commit, mark],
    effects: [...receipts.effects, { kind: "shown", contact }],
    result: null,
  }
}

function sendReadReceipts(
  state: EngineState,
  contact: ContactId,
  shown: readonly StoredMessage[],
  input: StepInput,
): Decision<null> {
  if (state.contacts.get(contact)?.readReceipts !== true) return noChange(null)
  const ids = shown
    .filter(({ author, supersededKey }) => author === contact && supersededKey === undefined)
    .map(({ id }) => id)
  const updates = updateEach(state, contact, input, (update) => {
    if (isUnfinished(state, update.device.id)) return
    for (let at = 0; at < ids.length; at += LIST_MAX) {
      sealAndEnqueue(update, {
        kind: "control",
        frames: [{ kind: "read", ids: ids.slice(at, at + LIST_MAX) }],
      })
    }
  })
  return toJointDecision(state, updates, null)
}
