import type { ContentChange } from "../../content/content.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { devicesOf } from "../contacts/devices.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sealAndEnqueue, type SealResult } from "../state/outgoing.ts"
import { hasUnsealed, unsealedChange } from "../state/unsealed.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"
import type { ChangeFrame } from "./apply-change.ts"
import { cancelDeleted } from "./cancel.ts"
import {
  isWithoutSession,
  mayHave,
  refusal,
  sealWaitingEntry,
  startPostQuantumStep,
  type Refused,
} from "./enqueue.ts"
import { announceGone, framesAbout } from "./message-frames.ts"
import type { DeviceRecord } from "../../store/records.ts"
import type { CarriedChange, TextName } from "../../store/message-records.ts"
import type { ContactId, DeviceId } from "../../store/ids.ts"

/** A change that we make. */
export type OwnChange = {
  readonly message: TextName
  /** How the frame names the message's author. */
  readonly authorTag: Uint8Array
  readonly change: ContentChange
}

/**
 * Changes a message here, and seals the change for every device of the contact; for one that cannot have it now it waits, as
 * texts do. What is deleted for both is not sent any more [D-96] [D-97].
 */
export function enqueueChange(
  state: EngineState,
  contact: ContactId,
  own: OwnChange,
  input: StepInput,
): Decision<{ kind: "posted" } | Refused> {
  const { conversation, author, id, digest } = own.message
  const { change } = own
  const dropped = change.kind === "delete" ? framesAbout(state, contact, own.message) : []
  const results = new Map<DeviceId, SealResult>()
  const updates = updateEach(state, contact, input, (update) => {
    for (const entry of dropped)
      if (entry.device === update.device.id) announceGone(update, entry, "cancelled")
    const result = sealNow(state, update, own)
    if (result !== undefined) results.set(update.device.id, result)
  })
  const devices = devicesOf(state, contact).filter((device) => mayGet(state, device, change))
  const waiting = devices.filter((device) => results.get(device.id)?.kind !== "posted")
  if (waiting.length === devices.length && !devices.some((device) => mayWait(state, device, change)))
    return noChange(refusal(results))
  const { commit, effects } = toJointDecision(state, updates, null)
  const name = { conversation, author, id }
  const here = { kind: "change", ...name, digest, change, at: input.now } as const
  const cancelled = cancelDeleted(state, contact, dropped, input)
  const seq = updates.at(-1)?.seq ?? state.nextOutgoing
  const later = waiting.map((device, n): Change => {
    const entry = { device: device.id, seq: seq + n, change: carried(own, -1), now: input.now }
    return { kind: "outgoing", outgoing: unsealedChange(entry) }
  })
  return {
    commit: [here, ...cancelled.commit, ...commit, ...later],
    effects: [{ kind: "changed", ...name, change: change.kind }, ...cancelled.effects, ...effects],
    result: { kind: "posted" },
  }
}

/** A deletion goes to a full queue, too: there is one of each message at most, and here it is done already. */
function mayGet(state: EngineState, device: DeviceRecord, { kind }: ContentChange): boolean {
  return kind === "delete" ? device.movedAt === 0 : mayHave(state, device)
}

function mayWait(state: EngineState, device: DeviceRecord, { kind }: ContentChange): boolean {
  return kind === "delete" || isWithoutSession(state, device)
}

/** Undefined for a device that cannot have it before others. */
function sealNow(state: EngineState, update: DeviceUpdate, own: OwnChange): SealResult | undefined {
  const { device } = update
  const isReady = mayGet(state, device, own.change) && !isUnfinished(state, device.id)
  if (!isReady || hasUnsealed(state, device.id)) return undefined
  const sealed = sealChange(update, own)
  if (sealed.kind === "posted") startPostQuantumStep(update)
  return sealed
}

/** Seals a change that waited for a session of its device. False if the session cannot seal it now. */
export function sealWaitingChange(
  state: EngineState,
  seq: number,
  own: OwnChange | undefined,
  input: StepInput,
): Decision<boolean> {
  const seal = own && ((update: DeviceUpdate, delivered: boolean) => sealChange(update, own, delivered))
  return sealWaitingEntry(state, seq, seal, input)
}

function sealChange(update: DeviceUpdate, own: OwnChange, delivered = false): SealResult {
  const { textNumbers } = update
  const number = textNumbers.sent
  const sealed = sealAndEnqueue(update, {
    kind: "control",
    frames: [changeFrame(own), { kind: "number", number }],
    carriesChange: carried(own, number),
    delivered,
  })
  if (sealed.kind === "posted") update.textNumbers = { ...textNumbers, sent: number + 1 }
  return sealed
}

function carried({ message, change }: OwnChange, number: number): CarriedChange {
  const { author, id, digest } = message
  return { author, id, digest, kind: change.kind, time: change.time, number }
}

function changeFrame({ message, authorTag, change }: OwnChange): ChangeFrame {
  const { id, digest } = message
  const subject = { author: authorTag, id, digest, time: change.time }
  if (change.kind === "delete") return { kind: "delete", ...subject }
  if (change.kind === "edit") return { kind: "edit", ...subject, text: bytesOf(change.text) }
  return { kind: "reaction", ...subject, emoji: bytesOf(change.emoji) }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"))
}
