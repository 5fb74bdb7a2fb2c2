import type { Responded } from "../../session/handshake.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { judgeShown, shownIn, type Judged } from "../accounts/judge-shown.ts"
import { offeredName } from "../contacts/contacts.ts"
import { contactOf } from "../contacts/devices.ts"
import type { Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { notice } from "../state/events.ts"
import { dropFrame, type ReceiveResult } from "../state/receive-result.ts"
import { isOfAnother } from "./hello.ts"

/** Judges the account that an INIT names; a recovery bundle of another device makes it none [W-21] [D-70]. */
export function judgeAccount(
  state: EngineState,
  { established, frames }: Extract<Responded, { kind: "accepted" }>,
  previous: DeviceRecord | undefined,
): Judged {
  const helloFrame = frames.find((frame) => frame.kind === "hello")
  if (helloFrame === undefined || isOfAnother(encodeIdentity(established.peer), helloFrame.recoveryBundle))
    return { kind: "refused", why: "sent a recovery bundle of another device" }
  const chain = frames.find((frame) => frame.kind === "chain")
  const contact = previous && contactOf(state, previous.id)
  return judgeShown(state, contact, shownIn(helloFrame, chain), established.peer)
}

/** The frame is dropped, and the person is told: they wait for someone to answer. */
export function refuseAccount(name: Uint8Array, why: string): Decision<ReceiveResult> {
  const dropped = dropFrame("forged")
  const event = notice(
    `${offeredName(name) ?? "someone"} answered an offer and ${why}; nothing of it was kept`,
  )
  return { ...dropped, effects: [...dropped.effects, { kind: "event", event }] }
}

/** The contact whose device it is, if that is certain already. */
export function admittedOwner({
  membership,
  owner,
}: Extract<Judged, { kind: "judged" }>): ContactRecord | undefined {
  return membership.kind === "admitted" ? owner : undefined
}
