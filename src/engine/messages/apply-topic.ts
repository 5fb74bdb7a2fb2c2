import { equal } from "../../crypto/bytes.ts"
import { joinInbox, splitInbox } from "../../wire/topics.ts"
import { confirmMailbox, retireBundles } from "../handshake/mailbox-rotation.ts"
import type { EngineState } from "../state/engine-state.ts"
import { sealAnswer } from "../state/outgoing.ts"
import type { DeviceUpdate } from "../state/update.ts"

/**
 * The device receives in another mailbox of its own from now on [W-25]. It still takes what comes in the one before, which is
 * kept for what gets no receipt in the new one.
 */
export function applyTopic(state: EngineState, update: DeviceUpdate, mailbox: Uint8Array): void {
  const { device, input } = update
  const before = splitInbox(device.peerInbox)
  if (!equal(before.mailbox, mailbox)) {
    update.device = { ...device, peerInbox: joinInbox({ device: before.device, mailbox }) }
    const value = { inbox: device.peerInbox, at: input.now }
    update.changes.push({ kind: "device-part", device: device.id, part: "previousInbox", value })
  }
  sealAnswer(state, update, { kind: "topic-ok", frames: [{ kind: "topic-ok", mailbox }] })
}

/** An answer about another mailbox than the present one is old, or made up. */
export function applyTopicOk(state: EngineState, update: DeviceUpdate, mailbox: Uint8Array): void {
  if (equal(update.device.mailbox, mailbox) && confirmMailbox(state, update)) retireBundles(state, update)
}
