/**
 * One line of the registrar's ledger. Ids and keys are base64url, times unix ms; nothing in it lets anybody in, for
 * of an invitation's secret only the hash is kept.
 */
export type Entry =
  /** An invitation was made; for a user who has one already it takes the place of the old one. */
  | {
      readonly kind: "invited"
      readonly at: number
      readonly user: string
      readonly name: string
      readonly secretHash: string
      readonly expiresAt: number
      /** The device that asked for it, or null for the operator's own command. */
      readonly by: string | null
      readonly operator: boolean
    }
  /** A device came in. */
  | {
      readonly kind: "admitted"
      readonly at: number
      readonly user: string
      readonly device: string
      readonly sign: string
      readonly spkiHash: string
      readonly requestHash: string
      readonly deviceName: string
      /** X.509 DER. */
      readonly certificate: string
    }
  | { readonly kind: "renewed"; readonly at: number; readonly device: string; readonly certificate: string }

export type Invited = Extract<Entry, { kind: "invited" }>
export type Admitted = Extract<Entry, { kind: "admitted" }>

/** What the ledger adds up to. */
export type Roll = {
  readonly invitations: ReadonlyMap<string, Invited>
  /** By user: the device that used the invitation. */
  readonly admissions: ReadonlyMap<string, Admitted>
  readonly devices: ReadonlyMap<string, Admitted>
  /** By the device that asked: when. */
  readonly asked: ReadonlyMap<string, readonly number[]>
}

/** A roll that is being read or extended; only its ledger holds it so. */
export type OpenRoll = {
  readonly invitations: Map<string, Invited>
  readonly admissions: Map<string, Admitted>
  readonly devices: Map<string, Admitted>
  readonly asked: Map<string, number[]>
}

export function emptyRoll(): OpenRoll {
  return { invitations: new Map(), admissions: new Map(), devices: new Map(), asked: new Map() }
}

/** Adds what `entry` says to the roll. */
export function enter(roll: OpenRoll, entry: Entry): void {
  switch (entry.kind) {
    case "invited":
      roll.invitations.set(entry.user, entry)
      if (entry.by !== null) roll.asked.set(entry.by, [...(roll.asked.get(entry.by) ?? []), entry.at])
      return
    case "admitted":
      roll.admissions.set(entry.user, entry)
      roll.devices.set(entry.device, entry)
      return
    case "renewed":
      return
  }
}

/** The operator's invitation, whether it was used or not. */
export function operatorOf(roll: Roll): Invited | undefined {
  return [...roll.invitations.values()].find(({ operator }) => operator)
}

/** True for a device that came in with the operator's invitation. */
export function isOperator(roll: Roll, { user }: Admitted): boolean {
  return roll.invitations.get(user)?.operator === true
}

/** How many invitations a device has asked for since `since` (unix ms). */
export function askedSince(roll: Roll, device: string, since: number): number {
  return (roll.asked.get(device) ?? []).filter((at) => at > since).length
}
