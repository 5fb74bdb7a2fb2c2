import type { Frame } from "../../wire/frame.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sendableTo } from "../state/send-gate.ts"
import type { DeviceUpdate } from "../state/update.ts"

/**
 * What a frame does that comes before the account of its device was shown, or before its key was compared where another had
 * its place. Each kind is here, so that a new one is never taken by mistake.
 */
type Effect =
  /** It is of the handshake, or says something that can be kept and marked. */
  | "counts"
  /** The message stays unopened, and opens when it comes again: we may not answer it now, or cannot mark it [D-42]. */
  | "waits"
  /** It would change what is ours [D-43]. */
  | "nothing"

const FROM_AN_UNKNOWN_KEY: Readonly<Record<Frame["kind"], Effect>> = {
  hello: "counts",
  open: "counts",
  rejected: "counts",
  chain: "counts",
  "chain-ask": "counts",
  "superseded-inits": "counts",
  // Beside the HELLO that shows the account.
  have: "counts",
  text: "counts",
  reply: "counts",
  number: "counts",
  // Of what was sent to this account before.
  ack: "counts",
  // The answer to a step of the session that is under way.
  "pq-ct": "counts",
  "pq-ek": "waits",
  topic: "waits",
  "recovery-bundle": "waits",
  edit: "waits",
  delete: "waits",
  reaction: "waits",
  read: "nothing",
  typing: "nothing",
  timer: "nothing",
  moved: "nothing",
  again: "nothing",
  gone: "nothing",
  resend: "waits",
  "intro-ask": "waits",
  "intro-yes": "waits",
  intro: "waits",
  "topic-ok": "nothing",
  nop: "nothing",
  // Only in a group.
  sig: "nothing",
  unknown: "nothing",
}

/** Whether a message is not to be opened now. */
export function mustWait(state: EngineState, update: DeviceUpdate, frames: readonly Frame[]): boolean {
  return !isKnown(state, update) && frames.some(({ kind }) => FROM_AN_UNKNOWN_KEY[kind] === "waits")
}

/** Those that count. Receipts first: a message is reported as delivered before it is reported as read [D-25]. */
export function framesToApply(
  state: EngineState,
  update: DeviceUpdate,
  opened: readonly Frame[],
): readonly Frame[] {
  const frames = isKnown(state, update)
    ? opened
    : opened.filter(({ kind }) => FROM_AN_UNKNOWN_KEY[kind] === "counts")
  const isReceipt = ({ kind }: Frame): boolean => kind === "ack"
  return [...frames.filter(isReceipt), ...frames.filter((frame) => !isReceipt(frame))]
}

/** Whether the account of the device was shown, and its key compared if another had its place [D-43] [D-71]. */
export function isKnown(state: EngineState, update: DeviceUpdate): boolean {
  return sendableTo(update) === "everything" && !isUnfinished(state, update.device.id)
}
