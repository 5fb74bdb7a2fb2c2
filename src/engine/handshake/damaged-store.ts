import { NEW_DEVICE, type DeviceRecord } from "../../store/records.ts"
import { RESTORED } from "../contacts/device-state.ts"
import { closeAllGaps } from "../contacts/held-texts.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { makeSystemMessage } from "../contacts/system-messages.ts"
import { joined, NOTHING_FOLLOWS, type Consequences } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { profileSetting, saveProfileSetting } from "../state/profile-settings.ts"
import { toDecision, updateFor, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { unsealTexts } from "./contact-setup.ts"

const NOTE = "the message store was damaged: messages that came or went just before this may be missing"

/**
 * What follows if the log of the store was found damaged [D-131]: each conversation says so, and every session ends. They
 * are older than what their peers have, as those of a backup are, and are made again like them.
 */
export function afterDamage(state: EngineState, input: StepInput): Consequences {
  if (profileSetting(state, "damaged-log").length === 0) return NOTHING_FOLLOWS
  const notes = [...state.conversations.values()].map(({ id }) => {
    const { change, effect } = makeSystemMessage(id, NOTE, input)
    return { commit: [change], effects: [effect] }
  })
  return joined([
    ...endSessions(state, input),
    ...notes,
    saveProfileSetting("damaged-log", new Uint8Array(0)),
  ])
}

function endSessions(state: EngineState, input: StepInput): Consequences[] {
  const ended: Consequences[] = []
  let seq = state.nextOutgoing
  for (const device of state.devices.values()) {
    const update = mayRecover(state, device) ? updateFor(state, device.id, input) : undefined
    if (update === undefined) continue
    update.seq = seq
    ended.push(endSession(state, update))
    seq = update.seq
  }
  return ended
}

/** A handshake that is not finished goes on or ends by itself; without a recovery bundle there is no other session. */
function mayRecover(state: EngineState, { id, state: deviceState, recoveryBundle }: DeviceRecord): boolean {
  return deviceState !== "init-sent" && recoveryBundle.length > 0 && !isUnfinished(state, id)
}

function endSession(state: EngineState, update: DeviceUpdate): Consequences {
  const { device } = update
  closeAllGaps(update, state)
  update.device = { ...device, state: RESTORED, comparison: NEW_DEVICE.comparison }
  unsealTexts(state, update)
  const { commit, effects } = toDecision(state, update, null)
  return { commit: [...commit, { kind: "end-session", device: device.id }], effects }
}
