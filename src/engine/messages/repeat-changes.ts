import type { DeviceRecord } from "../../store/records.ts"
import { devicesOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changesOfMessage } from "../state/outgoing-index.ts"
import { unsealedChange } from "../state/unsealed.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { UNKNOWN_DIGEST } from "./waiting-change.ts"
import type { CarriedChange } from "../../store/message-records.ts"

type Kind = CarriedChange["kind"]

/** A deletion only if it was given up; the others leave the outbox with their text. */
const MAY_BE_LOST: readonly Kind[] = ["edit", "reaction", "delete"]

/**
 * A text of ours that was cancelled or given up is there after all: what it says now, our reaction to it, or its deletion,
 * waits for every device of the contact. Which of them there are shows when they are sealed [D-61].
 */
export function repeatChanges(state: EngineState, update: DeviceUpdate, id: Uint8Array): void {
  const { contact, input, changes } = update
  for (const device of devicesOf(state, contact.id).filter(({ movedAt }) => movedAt === 0)) {
    for (const kind of MAY_BE_LOST) {
      if (isWaiting(state, device, id, kind)) continue
      const change = { author: null, id, digest: UNKNOWN_DIGEST, kind, time: input.wall, number: -1 }
      const outgoing = unsealedChange({ device: device.id, seq: update.seq++, change, now: input.now })
      changes.push({ kind: "outgoing", outgoing })
    }
  }
}

function isWaiting(state: EngineState, { id: device }: DeviceRecord, id: Uint8Array, kind: Kind): boolean {
  return changesOfMessage(state, device, id).some(
    ({ carriesChange: change }) => change?.author === null && change.kind === kind,
  )
}
