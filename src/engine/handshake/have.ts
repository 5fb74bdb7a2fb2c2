import type { Store } from "../../store/message-store.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { HAVE_MAX, type Frame } from "../../wire/frame.ts"
import { BUCKETS, encodeFrames, MESSAGE_OVERHEAD } from "../../wire/padding.ts"
import { directWith } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { changeResend } from "../state/resend-state.ts"
import type { DeviceUpdate } from "../state/update.ts"

/** That of the message in an INIT [S-11]. A WELCOME is not longer by what it names. */
const ROOM = BUCKETS[3] - MESSAGE_OVERHEAD

/**
 * The newest texts of the device's account that are here, those first that wait for an earlier one: their sender had our
 * receipt for them, too. Undefined if it is told nothing now.
 */
export async function newestTexts(
  { newestIds }: Pick<Store, "newestIds">,
  state: EngineState,
  device: DeviceRecord,
): Promise<readonly Uint8Array[] | undefined> {
  if (sendableTo(receiverOf(state, device)) !== "everything") return undefined
  const held = heldIds(state, device).slice(0, HAVE_MAX)
  const shown = await newestIds(directWith(state, device.contact).id, device.contact, HAVE_MAX)
  return [...held, ...shown].slice(0, HAVE_MAX)
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
