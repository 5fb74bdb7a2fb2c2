import { equal } from "../../crypto/bytes.ts"
import type { ContactId, DeviceId, DeviceRecord, MessageRecord } from "../../store/records.ts"
import { entryKey, type EngineState } from "../state/engine-state.ts"
import { devicesOf } from "../contacts/devices.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { StepInput } from "../state/update.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { reencryptText } from "./enqueue.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { unsentChange, unsentIn } from "../state/update.ts"

/** Unacknowledged texts are the newest of a conversation, and the outbox holds no more than this. */
const UNSENT_MAX = 10_000

/**
 * After a device got a new session: texts that the old one sealed and the peer has not acknowledged are sealed again, in
 * the same order and under their old ids. After a crash, or when the session cannot send, the rest follows later.
 */
export async function reencryptUnsent(ports: Ports, queue: CommitQueue, device: DeviceId): Promise<void> {
  const contact = queue.state().devices.get(device)?.contact
  if (contact === undefined) return
  const session = unsentIn(queue.state(), device)
  const messages = await ports.store.history(contact, { limit: UNSENT_MAX })
  for (const { id } of messages.filter(isUnsent)) {
    // perhaps cancelled or acknowledged while those before it were sealed
    const message = await ports.store.findMessage(contact, id, true)
    if (message === undefined || !isUnsent(message)) continue
    const mayContinue = await queue.run((state) =>
      isOver(state, device, session)
        ? noChange(false)
        : reencryptOne(state, device, message, stepInput(ports)),
    )
    if (!mayContinue) return
  }
  await queue.run((state) => {
    if (!hasUnsent(state, device) || isOver(state, device, session)) return noChange(null)
    return { commit: [unsentChange(device, new Uint8Array(0))], effects: [], result: null }
  })
}

/** Texts that wait for a session, oldest first: an earlier one sealed them, or there is none yet. */
export async function unsentTexts(
  ports: Ports,
  queue: CommitQueue,
  contact: ContactId,
): Promise<readonly MessageRecord[]> {
  const waits = ({ id, state }: DeviceRecord) => state === "recovering" || hasUnsent(queue.state(), id)
  if (!devicesOf(queue.state(), contact).some(waits)) return []
  const messages = await ports.store.history(contact, { limit: UNSENT_MAX })
  const devices = devicesOf(queue.state(), contact)
  return messages.filter(
    (message) => isUnsent(message) && !devices.some(({ id }) => isInOutbox(queue.state(), id, message)),
  )
}

/** The same for all contacts. */
export async function allUnsentTexts(ports: Ports, queue: CommitQueue): Promise<readonly MessageRecord[]> {
  const texts: MessageRecord[] = []
  for (const contact of queue.state().contacts.keys())
    texts.push(...(await unsentTexts(ports, queue, contact)))
  return texts
}

function isInOutbox(state: EngineState, device: DeviceId, { id }: MessageRecord): boolean {
  return state.byTextId.has(entryKey(device, id))
}

/** Whether another handshake happened meanwhile: then everything restarts from the first text. */
function isOver(state: EngineState, device: DeviceId, session: Uint8Array): boolean {
  return !equal(unsentIn(state, device), session)
}

/** Devices with texts that an earlier process left. */
export function devicesWithUnsent(state: EngineState): DeviceId[] {
  return [...state.devices.keys()].filter((device) => hasUnsent(state, device))
}

/** Whether texts of an earlier session wait to be sent in the present one. */
export function hasUnsent(state: EngineState, device: DeviceId): boolean {
  return unsentIn(state, device).length > 0
}

function isUnsent({ mine, kind, state }: MessageRecord): boolean {
  return mine && kind === "text" && (state === "queued" || state === "broker")
}

/** Whether it is or was in the outbox. */
function reencryptOne(
  state: EngineState,
  device: DeviceId,
  message: MessageRecord,
  input: StepInput,
): Decision<boolean> {
  if (isInOutbox(state, device, message)) return noChange(true)
  const { commit, effects, result } = reencryptText(state, device, message, input)
  return { commit, effects, result: result.kind === "posted" }
}
