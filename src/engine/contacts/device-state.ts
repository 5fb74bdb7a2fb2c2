import type { DeviceState } from "../../store/records.ts"

/** A handshake with a device, by who started it and whether it was known before. */
export type Handshake =
  "we answer their offer" | "they answer our offer" | "we start a recovery" | "they start a recovery"
type DeviceEvent = Handshake | "their first message opens" | "their second chain begins" | "a backup is read"

/** Valid in every state: a known device may have lost everything. */
const HANDSHAKES: Readonly<Record<Handshake, DeviceState>> = {
  "we answer their offer": "init-sent",
  "they answer our offer": "unconfirmed",
  "we start a recovery": "recovering",
  "they start a recovery": "unconfirmed",
}

/** The first state of a device from a backup. */
export const RESTORED: DeviceState = "recovering"

/** The transitions of each state [S-14] [D-30]; an event that is not listed changes nothing. */
export const DEVICE_TRANSITIONS: Readonly<
  Record<"none" | DeviceState, Readonly<Partial<Record<DeviceEvent, DeviceState>>>>
> = {
  none: {
    "we answer their offer": HANDSHAKES["we answer their offer"],
    "they answer our offer": HANDSHAKES["they answer our offer"],
    "a backup is read": RESTORED,
  },
  "init-sent": { ...HANDSHAKES, "their first message opens": "established" },
  unconfirmed: { ...HANDSHAKES, "their second chain begins": "established" },
  established: HANDSHAKES,
  recovering: { ...HANDSHAKES, "their first message opens": "established" },
}

export function afterHandshake(by: Handshake): DeviceState {
  return HANDSHAKES[by]
}

/** A message of theirs opened; `newChain` if it is the first that answers our last chain. */
export function afterMessage(state: DeviceState, newChain: boolean): DeviceState {
  const transitions = DEVICE_TRANSITIONS[state]
  const confirmed = newChain ? transitions["their second chain begins"] : undefined
  return transitions["their first message opens"] ?? confirmed ?? state
}
