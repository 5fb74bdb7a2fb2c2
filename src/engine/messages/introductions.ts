import type { IntroductionId } from "../../store/introduction-record.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import type { Ports } from "../state/ports.ts"
import { runDetached } from "../state/run-detached.ts"
import { stepInput } from "../state/update.ts"
import { decidePassingOn } from "./introduce.ts"
import type { DeviceId } from "../../store/ids.ts"

/** What introductions send by themselves. */
export type Introductions = {
  /** The owner has agreed to this one of ours. */
  readonly passOn: (id: IntroductionId) => void
  /** Something may be sent to a contact again: owners may have agreed meanwhile. */
  readonly passOnAll: () => void
  /** The session of this device could not seal it for the initiator, and perhaps can now. */
  readonly passOnTo: (device: DeviceId) => void
}

/** Continues at once with what an earlier process left. */
export function openIntroductions(ports: Ports, queue: CommitQueue, events: Events): Introductions {
  const passOn = (id: IntroductionId): void =>
    runDetached(
      events,
      queue.run((state) => decidePassingOn(state, id, stepInput(ports))).then(() => undefined),
    )
  const passOnAll = (): void => [...queue.state().introductions.keys()].forEach(passOn)
  passOnAll()
  return {
    passOn,
    passOnAll,
    passOnTo: (device) => {
      const { devices, introductions } = queue.state()
      const contact = devices.get(device)?.contact
      for (const { id, state, initiator } of introductions.values())
        if (state === "agreed" && initiator === contact) passOn(id)
    },
  }
}
