import { equal } from "../../crypto/bytes.ts"
import type { Session } from "../../session/state.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { authorTagOf } from "../contacts/authors.ts"
import { contactOf } from "../contacts/devices.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { directWith } from "../state/conversations.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Ports } from "../state/ports.ts"
import { hasUnsealed, unsealedFor } from "../state/unsealed.ts"
import { stepInput } from "../state/update.ts"
import { sealWaitingChange } from "./enqueue-change.ts"
import { sealWaiting } from "./enqueue.ts"
import { sealSteps } from "./introduce.ts"
import { asSent } from "./message-content.ts"
import { resendLost } from "./resend.ts"
import { waitingChange } from "./waiting-change.ts"
import type { StoredMessage } from "../../store/message-records.ts"
import type { DeviceId } from "../../store/ids.ts"

/**
 * After a device got a session: the texts that wait for it are sealed, in their order. After a crash, or when the session
 * cannot send, the rest follows later.
 */
export async function reencryptUnsent(ports: Ports, queue: CommitQueue, device: DeviceId): Promise<void> {
  const begun = queue.state().devices.get(device)
  const session = queue.state().sessions.get(device)
  if (begun === undefined || session === undefined) return
  // What was put into the outbox meanwhile waits as well.
  for (let waiting = unsealedFor(queue.state(), device); waiting.length > 0;) {
    for (const entry of waiting) {
      if (isOver(queue.state(), device, session)) return
      if (!(await sealInTurn(ports, queue, entry, session))) return
    }
    waiting = unsealedFor(queue.state(), device)
  }
}

async function sealInTurn(
  ports: Ports,
  queue: CommitQueue,
  entry: OutgoingRecord,
  session: Session,
): Promise<boolean> {
  if (entry.kind === "resend") return resendLost(ports, queue, entry)
  const contact = contactOf(queue.state(), entry.device)
  if (contact === undefined) return false
  const { id: conversation } = directWith(queue.state(), contact.id)
  const named = entry.carriesChange ?? (entry.carries && { ...entry.carries, author: null })
  const message =
    named && (await ports.store.findMessage({ conversation, author: named.author, id: named.id }))
  return queue.run((state) =>
    isOver(state, entry.device, session) ? noChange(false) : sealEntry(ports, state, entry, message),
  )
}

function sealEntry(
  ports: Ports,
  state: EngineState,
  { seq, device, carries, carriesChange }: OutgoingRecord,
  message: StoredMessage | undefined,
): Decision<boolean> {
  const input = stepInput(ports)
  if (carries === undefined && carriesChange === undefined) return sealSteps(state, seq, input)
  if (carriesChange === undefined) return sealWaiting(state, seq, message && asSent(message), input)
  const contact = contactOf(state, device)?.id
  const change = waitingChange(carriesChange, message)
  const authorTag = authorTagOf(state, carriesChange.author)
  if (contact === undefined || change === undefined || authorTag === undefined)
    return sealWaitingChange(state, seq, undefined, input)
  const { id: conversation } = directWith(state, contact)
  const { author, id } = carriesChange
  // The message may be deleted here; then only its deletion is left to be sent.
  const digest = message?.digest ?? carriesChange.digest
  return sealWaitingChange(
    state,
    seq,
    { message: { conversation, author, id, digest }, authorTag, change },
    input,
  )
}

/** Whether another handshake happened meanwhile: it put the texts into a new order. */
function isOver(state: EngineState, device: DeviceId, { transcript }: Session): boolean {
  const now = state.sessions.get(device)
  return now === undefined || !equal(now.transcript, transcript)
}

/** Devices with texts that an earlier process left. */
export function devicesWithUnsent(state: EngineState): DeviceId[] {
  return [...state.queues.keys()].filter((device) => hasUnsealed(state, device))
}
