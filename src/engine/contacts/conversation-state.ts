import type { ContactState } from "../../store/records.ts"

/** A handshake, by who began it and whether they knew each other. */
export type Handshake =
  "we answer their offer" | "they answer our offer" | "we begin anew" | "they begin anew"
type ContactEvent = Handshake | "their first message opens" | "their second chain begins" | "a backup is read"

/** It counts in every state: whoever is known may have lost everything. */
const HANDSHAKES: Readonly<Record<Handshake, ContactState>> = {
  "we answer their offer": "init-sent",
  "they answer our offer": "unconfirmed",
  "we begin anew": "recovering",
  "they begin anew": "unconfirmed",
}

/** How a contact of a backup begins. */
export const RESTORED: ContactState = "recovering"

/** What each state becomes by what happens [S-14] [D-30]; what is not named changes nothing. */
export const CONTACT_TRANSITIONS: Readonly<
  Record<"none" | ContactState, Readonly<Partial<Record<ContactEvent, ContactState>>>>
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

export function afterHandshake(by: Handshake): ContactState {
  return HANDSHAKES[by]
}

/** A message of theirs opened; `newChain` where it is the first that answers our last chain. */
export function afterMessage(state: ContactState, newChain: boolean): ContactState {
  const transitions = CONTACT_TRANSITIONS[state]
  const confirmed = newChain ? transitions["their second chain begins"] : undefined
  return transitions["their first message opens"] ?? confirmed ?? state
}
