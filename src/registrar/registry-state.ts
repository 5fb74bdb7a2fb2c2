import { TakenNames } from "../wire/taken-names.ts"
import { uniqueName, isActive } from "./names.ts"

/**
 * One line of the registrar's ledger. Ids and keys are base64url, times unix ms; nothing in it admits anyone, for
 * of an invitation's secret only the hash is kept.
 */
export type Entry =
  /** An invitation was made; it takes the place of an unused one for the same user by the same hand. */
  | {
      readonly kind: "invited"
      readonly at: number
      readonly user: string
      /** Empty for a user whom a member invites: the first device then gives its name. */
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
  | {
      readonly kind: "renewed"
      readonly at: number
      readonly device: string
      readonly requestHash: string
      readonly certificate: string
    }
  | { readonly kind: "renamed"; readonly at: number; readonly user: string; readonly name: string }
  /** Without a device: the user, with all devices and everything that could bring another. */
  | { readonly kind: "revoked"; readonly at: number; readonly user: string; readonly device: string | null }
  /** The broker has ended the connection of a revoked device and dropped its queue. */
  | { readonly kind: "expelled"; readonly at: number; readonly device: string }
  /** The broker goes on from an export on another disk. The id is new each time: what follows is a branch of its own. */
  | { readonly kind: "imported"; readonly at: number; readonly id: string }
  | { readonly kind: "inviters"; readonly at: number; readonly members: boolean }
  /** From here on certificates are signed by the key with this pin (16 bytes, hex). */
  | { readonly kind: "authority"; readonly at: number; readonly pin: string }

export type Invited = Extract<Entry, { kind: "invited" }>
export type Admitted = Extract<Entry, { kind: "admitted" }>
export type Restored = Extract<Entry, { kind: "restored" }>

export type User = {
  readonly id: string
  readonly at: number
  /** Empty until the first device of a user invited by a member is admitted. */
  readonly name: string
  readonly operator: boolean
  /** The device that asked for the first invitation; null for the operator's command. */
  readonly by: string | null
  readonly revokedAt: number | undefined
}

export type Invitation = Invited & {
  /** What it let in last. */
  readonly admitted: Admitted | undefined
  /** Another took its place, or its issuer or its user was revoked. */
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
  readonly disconnected: boolean
}

/** What one request was granted. */
export type Issued = {
  readonly user: string
  readonly device: string
  /** X.509 DER. */
  readonly certificate: string
  /** Pin of the authority that signed it. */
  readonly authority: string | undefined
}

/** What the ledger adds up to. */
export type RegistryState = {
  readonly users: ReadonlyMap<string, User>
  /** The names of the users who were not revoked. */
  readonly names: Pick<TakenNames, "has" | "free" | "numbered">
  /** By the hash of the secret. */
  readonly invitations: ReadonlyMap<string, Invitation>
  readonly devices: ReadonlyMap<string, Device>
  /** By the device that asked: when. */
  readonly requests: ReadonlyMap<string, readonly number[]>
  /** By the hash of the request. */
  readonly issued: ReadonlyMap<string, Issued>
  /** Whether members may invite; the operator always may. */
  readonly membersMayInvite: boolean
  /** Pin of the present authority, hex; undefined in a ledger that no registrar has opened yet. */
  readonly authority: string | undefined
}

/** A roll that is being read or extended; only its ledger holds it so. */
export type MutableRegistryState = {
  readonly users: Map<string, User>
  readonly names: TakenNames
  readonly invitations: Map<string, Invitation>
  readonly devices: Map<string, Device>
  readonly requests: Map<string, number[]>
  readonly issued: Map<string, Issued>
  /** The hashes of the invitations that are neither used nor lapsed. */
  readonly unused: Set<string>
  membersMayInvite: boolean
  authority: string | undefined
}

export function emptyRegistryState(): MutableRegistryState {
  const maps = { users: new Map(), invitations: new Map(), devices: new Map(), requests: new Map() }
  const names = new TakenNames()
  return {
    ...maps,
    names,
    issued: new Map(),
    unused: new Set(),
    membersMayInvite: true,
    authority: undefined,
  }
}

/** Adds what `entry` says to the roll. */
export function applyEntry(state: MutableRegistryState, entry: Entry): void {
  switch (entry.kind) {
    case "invited":
      applyInvited(state, entry)
      return
    case "admitted":
      applyAdmitted(state, entry)
      return
    case "restored":
      applyRestored(state, entry)
      return
    case "renewed":
      applyRenewed(state, entry)
      return
    case "renamed":
      updateUser(state, entry.user, (user) => ({ ...user, name: entry.name }))
      return
    case "revoked":
      applyRevoked(state, entry)
      return
    case "expelled":
      update(state.devices, entry.device, (device) => ({ ...device, disconnected: true }))
      return
    case "imported":
      return
    case "inviters":
      state.membersMayInvite = entry.members
      return
    case "authority":
      state.authority = entry.pin
  }
}

function applyInvited(state: MutableRegistryState, entry: Invited): void {
  const { user: id, at, name, operator, by } = entry
  lapse(state, (unused) => unused.user === id && unused.by === by)
  if (!state.users.has(id)) setUser(state, { id, at, name, operator, by, revokedAt: undefined })
  state.invitations.set(entry.secretHash, { ...entry, admitted: undefined, lapsed: false })
  state.unused.add(entry.secretHash)
  if (by !== null) state.requests.set(by, [...(state.requests.get(by) ?? []), at])
}

function applyAdmitted(state: MutableRegistryState, entry: Admitted): void {
  noteIssued(state, entry)
  update(state.invitations, entry.secretHash, (invitation) => ({ ...invitation, admitted: entry }))
  state.unused.delete(entry.secretHash)
  const before = state.devices.get(entry.device)
  state.devices.set(entry.device, {
    ...entry,
    since: before?.since ?? entry.at,
    certificates: [...(before?.certificates ?? []), entry.certificate],
    authority: state.authority,
    revokedAt: undefined,
    replacedBy: undefined,
    askedAt: before?.askedAt ?? 0,
    disconnected: false,
  })
  updateUser(state, entry.user, (user) =>
    user.name === "" ? { ...user, name: uniqueName(state.names, entry.deviceName) } : user,
  )
}

/** Invitations that the old device requested stay good: the person is the same. */
function applyRestored(state: MutableRegistryState, entry: Restored): void {
  const before = state.devices.get(entry.replaces)
  if (before === undefined) return
  noteIssued(state, entry)
  state.devices.set(entry.replaces, { ...before, revokedAt: entry.at, replacedBy: entry.device })
  state.devices.set(entry.device, {
    ...entry,
    secretHash: before.secretHash,
    since: entry.at,
    certificates: [entry.certificate],
    authority: state.authority,
    revokedAt: undefined,
    replacedBy: undefined,
    disconnected: false,
  })
}

function applyRenewed(state: MutableRegistryState, entry: Extract<Entry, { kind: "renewed" }>): void {
  const { at, device, certificate } = entry
  const before = state.devices.get(device)
  if (before === undefined) return
  noteIssued(state, { ...entry, user: before.user })
  const certificates = [...before.certificates, certificate]
  state.devices.set(device, { ...before, at, certificate, certificates, authority: state.authority })
}

function noteIssued(
  state: MutableRegistryState,
  { requestHash, user, device, certificate }: Omit<Issued, "authority"> & { readonly requestHash: string },
): void {
  state.issued.set(requestHash, { user, device, certificate, authority: state.authority })
}

function applyRevoked(
  state: MutableRegistryState,
  { at, user: id, device: only }: Extract<Entry, { kind: "revoked" }>,
): void {
  if (only === null) {
    updateUser(state, id, (user) => ({ ...user, revokedAt: user.revokedAt ?? at }))
    lapse(state, ({ user }) => user === id)
  }
  for (const { user, device } of [...state.devices.values()]) {
    if (user !== id || (only !== null && device !== only)) continue
    update(state.devices, device, (found) => ({ ...found, revokedAt: found.revokedAt ?? at }))
    lapse(state, ({ by }) => by === device)
  }
}

/** Unused invitations. */
function lapse(state: MutableRegistryState, which: (invitation: Invitation) => boolean): void {
  for (const key of [...state.unused]) {
    const invitation = state.invitations.get(key)
    if (invitation === undefined || !which(invitation)) continue
    state.invitations.set(key, { ...invitation, lapsed: true })
    state.unused.delete(key)
  }
}

function updateUser(state: MutableRegistryState, id: string, change: (user: User) => User): void {
  const user = state.users.get(id)
  if (user !== undefined) setUser(state, change(user))
}

function setUser({ users, names }: MutableRegistryState, user: User): void {
  const before = users.get(user.id)
  if (before !== undefined && hasName(before)) names.remove(before.name)
  if (hasName(user)) names.add(user.name)
  users.set(user.id, user)
}

function hasName(user: User): boolean {
  return user.name !== "" && isActive(user)
}

function update<T>(map: Map<string, T>, key: string, change: (value: T) => T): void {
  const value = map.get(key)
  if (value !== undefined) map.set(key, change(value))
}

/** The operator's own user, whose first invitation is written next to the broker. */
export function operatorOf(state: RegistryState): User | undefined {
  return [...state.users.values()].find((user) => user.operator && isActive(user))
}

export function isOperator(state: RegistryState, user: string): boolean {
  return state.users.get(user)?.operator === true
}

/** All devices that a user ever had. */
export function devicesOf(state: RegistryState, user: string): Device[] {
  return [...state.devices.values()].filter((device) => device.user === user)
}

/** A device whose latest certificate is good, as far as the registrar decides. */
export function isCurrent({ authority }: RegistryState, device: Device): boolean {
  return isActive(device) && device.authority === authority
}

/**
 * How many invitations a device has asked for in the last `ms`, at `now` (unix ms). Requests of a time when the machine's clock
 * was ahead would count until it is there again, and do not.
 */
export function requestsWithin(state: RegistryState, device: string, ms: number, now: number): number {
  return (state.requests.get(device) ?? []).filter((at) => at > now - ms && at < now + ms).length
}
