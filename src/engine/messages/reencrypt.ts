import { equal } from "../../crypto/bytes.ts"
import type { Session } from "../../session/state.ts"
import type { DeviceId } from "../../store/records.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { directWith } from "../state/conversations.ts"
import { noChange } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Ports } from "../state/ports.ts"
import { hasUnsealed, unsealedFor } from "../state/unsealed.ts"
import { stepInput } from "../state/update.ts"
import { sealWaiting } from "./enqueue.ts"

/**
 * After a device got a session: the texts that wait for it are sealed, in their order. After a crash, or when the session
 * cannot send, the rest follows later.
 */
export async function reencryptUnsent(ports: Ports, queue: CommitQueue, device: DeviceId): Promise<void> {
  const begun = queue.state().devices.get(device)
  const session = queue.state().sessions.get(device)
  if (begun === undefined || session === undefined) return
  const { id: conversation } = directWith(queue.state(), begun.contact)
  for (const { seq, carries } of unsealedFor(queue.state(), device)) {
    if (carries === undefined) continue
    const message = await ports.store.findMessage({ conversation, author: null, id: carries.id })
    const mayContinue = await queue.run((state) =>
      isOver(state, device, session) ? noChange(false) : sealWaiting(state, seq, message, stepInput(ports)),
    )
    if (!mayContinue) return
  }
}

/** Whether another handshake happened meanwhile: it put the texts into a new order. */
function isOver(state: EngineState, device: DeviceId, { transcript }: Session): boolean {
  const now = state.sessions.get(device)
  return now === undefined || !equal(now.transcript, transcript)
}

/** Devices with texts that an earlier process left. */
export function devicesWithUnsent(state: EngineState): DeviceId[] {
  return [...state.devices.keys()].filter((device) => hasUnsealed(state, device))
}
