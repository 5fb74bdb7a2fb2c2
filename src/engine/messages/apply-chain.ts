import { equal } from "../../crypto/bytes.ts"
import { readLinks } from "../../account/chain-link.ts"
import type { ShownAccount } from "../../store/account-record.ts"
import type { Frame } from "../../wire/frame.ts"
import { decodeIdentity } from "../../wire/identity.ts"
import { adopt, enqueueChain, noteShown } from "../accounts/adopt.ts"
import type { Shown } from "../accounts/membership.ts"
import { isRemoved, judgeLater, judgeShown, type ChainFrame, type Judged } from "../accounts/judge-shown.ts"
import { chainFrame, ownChain } from "../accounts/own-account.ts"
import { shownBy } from "../contacts/shown-account.ts"
import { addMergedMessage } from "../contacts/system-messages.ts"
import { NOT_RENAMED } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate, Learned } from "../state/update.ts"

/** Judges what a device shows of its account; a refusal ends its session. Whether it is admitted. */
export function noteJudged(
  state: EngineState,
  update: DeviceUpdate,
  shown: Shown,
  before: ShownAccount,
): boolean {
  if (isOfAnotherThanNamed(before, shown)) {
    update.ended = "belongs to another account than the one that was introduced"
    return false
  }
  const judged = judgeShown(state, update.contact, shown, decodeIdentity(update.device.key))
  if (judged.kind === "judged" && judged.owner?.blocked !== true)
    return noteShown(state, update, judged, before)
  update.ended = judged.kind === "judged" ? "used a device of a contact who is blocked" : judged.why
  if (judged.kind === "refused") update.learned = removalIn(judged, update)
  return false
}

/** Links of a contact's account by which they removed the device that shows them [D-72]. */
function removalIn(
  { learned }: Extract<Judged, { kind: "refused" }>,
  { contact, device }: DeviceUpdate,
): Learned | undefined {
  if (contact.accountId === undefined || learned === undefined || learned.outcome === "unchanged")
    return undefined
  return isRemoved(learned.known, decodeIdentity(device.key)) ? learned : undefined
}

/** Before a device has shown anything only an introduction says whose it is [D-83]. */
function isOfAnotherThanNamed({ accountId: named, head }: ShownAccount, { accountId }: Shown): boolean {
  return head.length === 0 && named.length > 0 && !equal(named, accountId)
}

/** Links of the account of the device that sends them; those in its HELLO's message were judged with it. */
export function applyChain(
  { state, update, frames }: { state: EngineState; update: DeviceUpdate; frames: readonly Frame[] },
  frame: ChainFrame,
): void {
  if (frames.some(({ kind }) => kind === "hello")) return
  const before = shownBy(state, update.device.id)
  if (before !== undefined && before.until > 0) applyMissing(state, update, frame, before)
  else applyLater(state, update, frame)
}

/** The links that were asked for. */
function applyMissing(
  state: EngineState,
  update: DeviceUpdate,
  frame: ChainFrame,
  before: ShownAccount,
): void {
  const { accountId, length, head } = before
  if (!equal(frame.accountId, accountId)) return
  const shown = { accountId, length, head, read: readLinks(frame.links), isAnswer: true }
  if (!noteJudged(state, update, shown, before)) return
  const { id: device } = update.device
  if (before.tag.length === 0) update.effects.push({ kind: "welcomed", device, renaming: NOT_RENAMED })
  else {
    const { tag, offer } = before
    update.effects.push({ kind: "accepted", device, tag, offer, known: false, renaming: NOT_RENAMED })
  }
}

/** Changes of the account after the handshake. */
function applyLater(state: EngineState, update: DeviceUpdate, frame: ChainFrame): void {
  const { contact } = update
  const later = judgeLater(state, contact, frame)
  if (later === undefined) return
  if (later.isNewer) {
    const text = `${contact.name}'s account has changes that this version of mqttchat cannot read: update mqttchat`
    addMergedMessage(update, text)
  }
  if (later.outcome !== "unchanged") adopt(state, update, later)
}

/** Links of our own account, or of theirs if one of their devices is behind. */
export function applyChainAsk(
  state: EngineState,
  update: DeviceUpdate,
  { accountId, first }: Extract<Frame, { kind: "chain-ask" }>,
): void {
  const theirs = state.accounts.get(update.contact.id)?.chain
  const chain = [ownChain(state), theirs].find((known) => known && equal(known.accountId, accountId))
  const frame = chain && chainFrame(chain, first)
  if (frame?.kind === "chain") enqueueChain(state, update, frame)
}
