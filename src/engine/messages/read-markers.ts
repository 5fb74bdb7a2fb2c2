import type { ContactId, MessageRecord } from "../../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Change, Decision } from "../state/decision.ts"
import { updateFor, toDecision, type StepInput } from "../state/update.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"

/** Marks messages as shown, which are all the unshown ones of a contact in their range, oldest first, and sends read receipts to the contacts that may have them. */
export async function markRead(
  { ports, queue }: { readonly ports: Ports; readonly queue: CommitQueue },
  messages: readonly MessageRecord[],
): Promise<void> {
  for (const [contact, shown] of byContact(messages)) {
    await queue.run((state) => markShown(state, contact, shown, stepInput(ports)))
  }
}

function byContact(messages: readonly MessageRecord[]): Map<ContactId, MessageRecord[]> {
  const found = new Map<ContactId, MessageRecord[]>()
  for (const message of messages) {
    const others = found.get(message.contact)
    if (others === undefined) found.set(message.contact, [message])
    else others.push(message)
  }
  return found
}

function markShown(
  state: EngineState,
  contact: ContactId,
  shown: readonly MessageRecord[],
  input: StepInput,
): Decision<null> {
  const [after, upTo] = [(shown[0]?.seq ?? 0) - 1, shown.at(-1)?.seq ?? 0]
  const mark: Change = { kind: "shown", contact, after, upTo, at: input.now }
  const update = updateFor(state, contact, input)
  if (update?.contact.readReceipts !== true)
    return { commit: [mark], effects: [{ kind: "shown" }], result: null }
  const mids = shown.filter(({ mine, kind }) => !mine && kind === "text").map(originalIdOf)
  for (let at = 0; at < mids.length; at += LIST_MAX) {
    sealAndEnqueue(update, {
      kind: "control",
      frames: [{ kind: "read", mids: mids.slice(at, at + LIST_MAX) }],
    })
  }
  update.changes.push(mark)
  update.effects.push({ kind: "shown" })
  return toDecision(state, update, null)
}

/** The id under which its sender knows it [W-30]. */
function originalIdOf({ mid, original }: MessageRecord): Uint8Array {
  return original.length > 0 ? original : mid.slice(0, SHORT_MID_BYTES)
}
