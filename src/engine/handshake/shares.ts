import {
  answer,
  encodeComparison,
  newNonce,
  onOpening,
  onShare,
  type AccountHead,
  type Comparison,
} from "../../session/comparison.ts"
import type { Established } from "../../session/handshake.ts"
import type { DeviceRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import { aboutContact } from "../contacts/describe.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { comparisonOf, wordsWith } from "../contacts/words.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"

type Hello = Extract<Frame, { kind: "hello" }>

/** Our share in answer to an INIT, new for each [S-60], and what is kept of both. */
export function answerShare(
  { sas }: Established,
  {
    hello,
    owner,
    metBefore,
  }: { readonly hello: Hello; readonly owner: AccountHead; readonly metBefore: boolean },
  { random }: StepInput,
): { readonly share: Uint8Array; readonly comparison: Comparison } {
  const nonce = newNonce(random)
  const initiator = accountHeadOf(hello)
  const comparison = answer(sas, { nonce, commitment: hello.share, initiator, owner, metBefore })
  return { share: nonce, comparison }
}

/** Someone who looks at the words first, and stays away where they do not fit, is seen [S-64]. */
export function noteUnfinished(update: DeviceUpdate, previous: DeviceRecord | undefined): void {
  if (previous === undefined || comparisonOf(previous)?.kind !== "answered") return
  const { name } = update.contact
  addSystemMessage(
    update,
    `${name} has begun again, and did not finish the last time: if it goes on, compare the words`,
  )
}

/** Who the sender of a HELLO says it is. */
function accountHeadOf({ accountId: account, head }: Pick<Hello, "accountId" | "head">): AccountHead {
  return { account, head }
}

/** The owner's share, in its WELCOME; nothing if there was one before, or if we are the owner [S-61]. */
export function takeShare(update: DeviceUpdate, hello: Hello): void {
  const before = comparisonOf(update.device)
  const next = before && onShare(before, hello.share, accountHeadOf(hello))
  if (next !== undefined && next !== before) keep(update, next)
}

/** Reveals our nonce with the receipt for the WELCOME, this message, if this update took the owner's share [S-60]. */
export function openCommitment(update: DeviceUpdate, before: DeviceRecord, welcome: Uint8Array): void {
  if (update.device.comparison === before.comparison) return
  const committed = comparisonOf(before)
  if (committed?.kind !== "committed") return
  const frames = [{ kind: "open", nonce: committed.nonce }] as const
  sealAndEnqueue(update, { kind: "handshake", frames, answers: welcome })
}

/** The initiator's OPEN among these frames. False if it is not what was committed to [S-63]. */
export function takeOpening(update: DeviceUpdate, frames: readonly Frame[]): boolean {
  const opening = frames.find((frame) => frame.kind === "open")
  const before = opening && comparisonOf(update.device)
  if (before === undefined || opening === undefined) return true
  const opened = onOpening(before, opening.nonce)
  if (opened.kind === "refused") return false
  if (opened.next !== before) keep(update, opened.next)
  return true
}

/** Words of someone who has not shown their account yet are told with the pairing. */
function keep(update: DeviceUpdate, comparison: Comparison): void {
  update.device = { ...update.device, comparison: encodeComparison(comparison) }
  if (update.contact.accountId === undefined) return
  const words = wordsWith(update.device)
  update.effects.push({ kind: "event", event: { kind: "words", ...aboutContact(update.contact), words } })
}
