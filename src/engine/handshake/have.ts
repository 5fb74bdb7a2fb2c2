import type { Store } from "../../store/message-store.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { HAVE_MAX, type Frame } from "../../wire/frame.ts"
import { BUCKETS, encodeFrames, MESSAGE_OVERHEAD } from "../../wire/padding.ts"
import { directWith } from "../state/conversations.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { noChange } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { changeResend } from "../state/resend-state.ts"
import type { DeviceUpdate } from "../state/update.ts"

/** That of the message in an INIT [S-11]. A WELCOME is not longer by what it names. */
const ROOM = BUCKETS[3] - MESSAGE_OVERHEAD

/** How often it is read again, if texts keep coming: each that is not named is only sent again. */
const READS_MAX = 3

/**
 * The newest texts of the device's account that are here, those first that wait for an earlier one: their sender had our
 * receipt for them, too. What came before is committed first, or it would be called lost. Undefined if it is told nothing now, or was
 * forgotten meanwhile.
 */
export async function newestTexts(
  { newestIds }: Pick<Store, "newestIds">,
  queue: CommitQueue,
  device: DeviceRecord,
): Promise<readonly Uint8Array[] | undefined> {
  let shown: readonly Uint8Array[] = []
  for (let reads = 0, isNew = true; reads < READS_MAX && isNew; reads++) {
    const before = await newestEvent(queue)
    if (!queue.state().devices.has(device.id)) return undefined
    const conversation = directWith(queue.state(), device.contact).id
    shown = await newestIds(conversation, device.contact, HAVE_MAX)
    isNew = (await newestEvent(queue)) !== before
  }
  const state = queue.state()
  if (!state.devices.has(device.id)) return undefined
  if (sendableTo(receiverOf(state, device)) !== "everything") return undefined
  return [...heldIds(state, device), ...shown].slice(0, HAVE_MAX)
}

/** Once all that waits for its commit now is committed. Where nothing waits, no later step may come between. */
async function newestEvent(queue: CommitQueue): Promise<number> {
  return queue.isIdle() ? queue.state().nextEvent : queue.run(({ nextEvent }) => noChange(nextEvent))
}

/** Of the texts that are held back [D-21], the newest first. */
function heldIds(state: EngineState, { id }: DeviceRecord): Uint8Array[] {
  return [...(state.held.get(id)?.values() ?? [])]
    .sort((a, b) => b.number - a.number)
    .flatMap(({ text }) => (text === undefined ? [] : [text.id]))
}

/** The frames of a HELLO with as many of these ids as have room with them [W-72]. */
export function withHave(frames: readonly Frame[], ids: readonly Uint8Array[]): Frame[] {
  for (let count = ids.length; count >= 0; count--) {
    const all: Frame[] = [...frames, { kind: "have", ids: ids.slice(0, count) }]
    if (isOneOf(count, ids) && (encodeFrames(all)?.length ?? ROOM + 1) <= ROOM) return all
  }
  return [...frames]
}

/** To name none says that nothing is here. */
function isOneOf(count: number, ids: readonly Uint8Array[]): boolean {
  return count > 0 || ids.length === 0
}

/** In a new session after a recovery the other side says what it has of our texts: what it has not is sent again. */
export function noteHave(
  state: EngineState,
  update: DeviceUpdate,
  frames: readonly Frame[],
  isRecovery: boolean,
): void {
  if (!isRecovery || sendableTo(update) !== "everything") return
  for (const frame of frames)
    if (frame.kind === "have") changeResend(state, update, { have: { ids: frame.ids } })
}
