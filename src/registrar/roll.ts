import { freeName, isStanding } from "./names.ts"

/**
 * One line of the registrar's ledger. Ids and keys are base64url, times unix ms; nothing in it lets anybody in, for
 * of an invitation's secret only the hash is kept.
 */
export type Entry =
  /** An invitation was made; it takes the place of an unused one for the same user by the same hand. */
  | {
      readonly kind: "invited"
      readonly at: number
      readonly user: string
      /** Empty for whoever a member brings: the first device then says its name. */
      readonly name: string
      readonly secretHash: string
      readonly expiresAt: number
      /** The device that asked for it, or null for the operator's own command. */
      readonly by: string | null
      readonly operator: boolean
    }
  /** A device came in, for the first time or with a new TLS key. */
  | {
      readonly kind: "admitted"
      readonly at: number
      readonly user: string
      readonly device: string
      readonly sign: string
      readonly spkiHash: string
      /** Of the secret of the invitation that it used. */
      readonly secretHash: string
      readonly requestHash: string
      readonly deviceName: string
      /** X.509 DER. */
      readonly certificate: string
    }
  /** An identity came back from a backup, as another device in place of the one it was. */
  | {
      readonly kind: "restored"
      readonly at: number
      readonly user: string
      readonly device: string
      readonly replaces: string
      readonly sign: string
      readonly spkiHash: string
      readonly requestHash: string
      /** When it asked, by its own clock. */
      readonly askedAt: number
      readonly deviceName: string
      /** X.509 DER. */
      readonly certificate: string
    }
  | { readonly kind: "renewed"; readonly at: number; readonly device: string; readonly certificate: string }
  | { readonly kind: "renamed"; readonly at: number; readonly user: string; readonly name: string }
  /** Without a device: the user, with all devices and everything that could bring another. */
  | { readonly kind: "revoked"; readonly at: number; readonly user: string; readonly device: string | null }
  /** The broker has ended the connection of a revoked device and dropped its queue. */
  | { readonly kind: "expelled"; readonly at: number; readonly device: string }
  | { readonly kind: "inviters"; readonly at: number; readonly members: boolean }
  /** From here on certificates are signed by the key with this pin (16 bytes, hex). */
  | { readonly kind: "authority"; readonly at: number; readonly pin: string }

export type Invited = Extract<Entry, { kind: "invited" }>
export type Admitted = Extract<Entry, { kind: "admitted" }>
export type Restored = Extract<Entry, { kind: "restored" }>

export type User = {
  readonly id: string
  readonly at: number
  /** Empty until the first device of somebody whom a member brought has come in. */
  readonly name: string
  readonly operator: boolean
  /** The device that asked for the first invitation; null for the operator's command. */
  readonly by: string | null
  readonly revokedAt: number | undefined
}

export type Invitation = Invited & {
  /** What it let in last. */
  readonly admitted: Admitted | undefined
  /** Another took its place, or whoever made or was to use it was revoked. */
  readonly lapsed: boolean
}

/** `at` is when its latest certificate was issued. */
export type Device = Omit<Admitted, "kind"> & {
  /** When it came in first. */
  readonly since: number
  /** X.509 DER of all that were issued to it, the latest last. */
  readonly certificates: readonly string[]
  /** Pin of the authority that signed the latest. */
  readonly authority: string | undefined
  readonly revokedAt: number | undefined
  /** The device of the same identity that took its place. */
  readonly replacedBy: string | undefined
  /** When it asked to be restored; 0 for one that came in with an invitation. */
  readonly askedAt: number
  readonly expelled: boolean
}

/** What the ledger adds up to. */
export type Roll = {
  readonly users: ReadonlyMap<string, User>
  /** By the hash of the secret. */
  readonly invitations: ReadonlyMap<string, Invitation>
  readonly devices: ReadonlyMap<string, Device>
  /** By the device that asked: when. */
  readonly asked: ReadonlyMap<string, readonly number[]>
  /** Whether members may invite; the operator always may. */
  readonly membersMayInvite: boolean
  /** Pin of the present authority, hex; undefined in a ledger that no registrar has opened yet. */
  readonly authority: string | undefined
}

/** A roll that is being read or extended; only its ledger holds it so. */
export type OpenRoll = {
  readonly users: Map<string, User>
  readonly invitations: Map<string, Invitation>
  readonly devices: Map<string, Device>
  readonly asked: Map<string, number[]>
  /** The hashes of the invitations that are neither used nor lapsed. */
  readonly unused: Set<string>
  membersMayInvite: boolean
  authority: string | undefined
}

export function emptyRoll(): OpenRoll {
  const maps = { users: new Map(), invitations: new Map(), devices: new Map(), asked: new Map() }
  return { ...maps, unused: new Set(), membersMayInvite: true, authority: undefined }
}

/** Adds what `entry` says to the roll. */
export function enter(roll: OpenRoll, entry: Entry): void {
  switch (entry.kind) {
    case "invited":
      enterInvited(roll, entry)
      return
    case "admitted":
      enterAdmitted(roll, entry)
      return
    case "restored":
      enterRestored(roll, entry)
      return
    case "renewed":
      change(roll.devices, entry.device, (device) => ({
        ...device,
        at: entry.at,
        certificate: entry.certificate,
        certificates: [...device.certificates, entry.certificate],
        authority: roll.authority,
      }))
      return
    case "renamed":
      change(roll.users, entry.user, (user) => ({ ...user, name: entry.name }))
      return
    case "revoked":
      enterRevoked(roll, entry)
      return
    case "expelled":
      change(roll.devices, entry.device, (device) => ({ ...device, expelled: true }))
      return
    case "inviters":
      roll.membersMayInvite = entry.members
      return
    case "authority":
      roll.authority = entry.pin
  }
}

function enterInvited(roll: OpenRoll, entry: Invited): void {
  const { user: id, at, name, operator, by } = entry
  lapse(roll, (unused) => unused.user === id && unused.by === by)
  if (!roll.users.has(id)) roll.users.set(id, { id, at, name, operator, by, revokedAt: undefined })
  roll.invitations.set(entry.secretHash, { ...entry, admitted: undefined, lapsed: false })
  roll.unused.add(entry.secretHash)
  if (by !== null) roll.asked.set(by, [...(roll.asked.get(by) ?? []), at])
}

function enterAdmitted(roll: OpenRoll, entry: Admitted): void {
  change(roll.invitations, entry.secretHash, (invitation) => ({ ...invitation, admitted: entry }))
  roll.unused.delete(entry.secretHash)
  const before = roll.devices.get(entry.device)
  roll.devices.set(entry.device, {
    ...entry,
    since: before?.since ?? entry.at,
    certificates: [...(before?.certificates ?? []), entry.certificate],
    authority: roll.authority,
    revokedAt: undefined,
    replacedBy: undefined,
    askedAt: before?.askedAt ?? 0,
    expelled: false,
  })
  change(roll.users, entry.user, (user) =>
    user.name === "" ? { ...user, name: freeName(roll.users.values(), entry.deviceName) } : user,
  )
}

/** What the old device asked for others stays good: whoever asked is the same person. */
function enterRestored(roll: OpenRoll, entry: Restored): void {
  const before = roll.devices.get(entry.replaces)
  if (before === undefined) return
  roll.devices.set(entry.replaces, { ...before, revokedAt: entry.at, replacedBy: entry.device })
  roll.devices.set(entry.device, {
    ...entry,
    secretHash: before.secretHash,
    since: entry.at,
    certificates: [entry.certificate],
    authority: roll.authority,
    revokedAt: undefined,
    replacedBy: undefined,
    expelled: false,
  })
}

function enterRevoked(
  roll: OpenRoll,
  { at, user: id, device: only }: Extract<Entry, { kind: "revoked" }>,
): void {
  if (only === null) {
    change(roll.users, id, (user) => ({ ...user, revokedAt: user.revokedAt ?? at }))
    lapse(roll, ({ user }) => user === id)
  }
  for (const { user, device } of [...roll.devices.values()]) {
    if (user !== id || (only !== null && device !== only)) continue
    change(roll.devices, device, (found) => ({ ...found, revokedAt: found.revokedAt ?? at }))
    lapse(roll, ({ by }) => by === device)
  }
}

/** Of the invitations that nobody has used. */
function lapse(roll: OpenRoll, which: (invitation: Invitation) => boolean): void {
  for (const key of [...roll.unused]) {
    const invitation = roll.invitations.get(key)
    if (invitation === undefined || !which(invitation)) continue
    roll.invitations.set(key, { ...invitation, lapsed: true })
    roll.unused.delete(key)
  }
}

function change<T>(map: Map<string, T>, key: string, changed: (value: T) => T): void {
  const value = map.get(key)
  if (value !== undefined) map.set(key, changed(value))
}

/** The operator's own user, whose first invitation is laid out beside the broker. */
export function operatorOf(roll: Roll): User | undefined {
  return [...roll.users.values()].find((user) => user.operator && isStanding(user))
}

export function isOperator(roll: Roll, user: string): boolean {
  return roll.users.get(user)?.operator === true
}

/** All devices that a user ever had. */
export function devicesOf(roll: Roll, user: string): Device[] {
  return [...roll.devices.values()].filter((device) => device.user === user)
}

/** A device whose latest certificate is good, as far as the registrar decides. */
export function isCurrent({ authority }: Roll, device: Device): boolean {
  return isStanding(device) && device.authority === authority
}

/** How many invitations a device has asked for since `since` (unix ms). */
export function askedSince(roll: Roll, device: string, since: number): number {
  return (roll.asked.get(device) ?? []).filter((at) => at > since).length
}
