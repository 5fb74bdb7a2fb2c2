import { X509Certificate } from "node:crypto"

import { Fault } from "../errors.ts"
import { newInvitation } from "./decide.ts"
import type { Signer } from "./issue.ts"
import type { Ledger } from "./ledger.ts"
import { uniqueName, isActive } from "./names.ts"
import {
  type Device,
  devicesOf,
  isCurrent,
  operatorOf,
  type RegistryState,
  type User,
} from "./registry-state.ts"

const OPERATOR = "operator"

/** The ledger, and what an invitation needs. */
export type Registry = Signer & { readonly ledger: Ledger }

/**
 * A new invitation (72 bytes) for a new person; with `again` for an existing user, as after the loss of a laptop
 * or of an invitation. On disk before it is given out. Faults `exists` and `not-found`.
 */
export async function inviteUser(
  registry: Registry,
  { name, again }: { readonly name: string; readonly again: boolean },
): Promise<{ readonly invitation: Uint8Array; readonly expiresAt: number }> {
  const { entry, invitation } = await registry.ledger.transact((state) => {
    const known = again ? findUser(state, name) : undefined
    if (!again && uniqueName(state.users.values(), name) !== name) throw nameTaken(name)
    const options = { name, by: null, operator: known?.operator ?? false }
    return newInvitation(registry, known === undefined ? options : { ...options, user: known.id })
  })
  return { invitation, expiresAt: entry.expiresAt }
}

/**
 * An invitation that lets the operator's own profile in, in place of any earlier one; undefined when a device has used
 * it. On disk before it is given out.
 */
export async function inviteOperator(registry: Registry): Promise<Uint8Array | undefined> {
  const { invitation } = await registry.ledger.transact((state) => {
    const before = operatorOf(state)
    if (before !== undefined && devicesOf(state, before.id).some((device) => isCurrent(state, device)))
      return NONE
    const options = {
      name: before?.name ?? uniqueName(state.users.values(), OPERATOR),
      by: null,
      operator: true,
    }
    return newInvitation(registry, before === undefined ? options : { ...options, user: before.id })
  })
  return invitation
}

const NONE = { entry: undefined, invitation: undefined }

export async function renameUser(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  { user, to }: { readonly user: string; readonly to: string },
): Promise<void> {
  await ledger.transact((state) => {
    const { id } = findUser(state, user)
    if (uniqueName(state.users.values(), to) !== to) throw nameTaken(to)
    return { entry: { kind: "renamed", at: now(), user: id, name: to } as const }
  })
}

/**
 * Notes that a user, or one device of theirs, may come in no more; gives the ids of the devices that it meets.
 * `enforce` of the registrar then shuts them out. Faults `not-found`.
 */
export async function revoke(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  { user, device }: { readonly user: string; readonly device: string | null },
): Promise<readonly string[]> {
  const { affected } = await ledger.transact((state) => {
    const { id, name } = findUser(state, user)
    const one = device === null ? null : findDevice(state, { id, name }, device).device
    const affected = devicesOf(state, id).filter((known) => one === null || known.device === one)
    const entry = { kind: "revoked", at: now(), user: id, device: one } as const
    return { entry, affected: affected.filter(isActive).map((known) => known.device) }
  })
  return affected
}

export async function setInviters(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  members: boolean,
): Promise<void> {
  await ledger.transact((state) => ({
    entry: state.membersMayInvite === members ? undefined : { kind: "inviters", at: now(), members },
  }))
}

export type UserRow = {
  readonly name: string
  readonly id: string
  readonly operator: boolean
  /** Unix ms. */
  readonly since: number
  /** Name of the user who invited this one; null for the operator's command. */
  readonly invitedBy: string | null
  /** Devices that may come in. */
  readonly devices: number
  readonly revokedAt: number | null
}

export function listUsers(state: RegistryState): UserRow[] {
  return [...state.users.values()].map(({ id, name, operator, at, by, revokedAt }) => ({
    name,
    id,
    operator,
    since: at,
    invitedBy: by === null ? null : userNameOf(state, by),
    devices: devicesOf(state, id).filter(({ revokedAt: gone }) => gone === undefined).length,
    revokedAt: revokedAt ?? null,
  }))
}

export type DeviceRow = {
  readonly user: string
  readonly device: string
  readonly deviceName: string
  readonly since: number
  /** End of its certificate, unix ms. */
  readonly until: number
  /** False after the authority was replaced, until it has registered again. */
  readonly current: boolean
  readonly revokedAt: number | null
  /** The device of the same identity that took its place. */
  readonly replacedBy: string | null
}

export function listDevices(state: RegistryState): DeviceRow[] {
  return [...state.devices.values()].map((found) => {
    const { user, device, deviceName, since, certificate, revokedAt, replacedBy } = found
    return {
      user: state.users.get(user)?.name ?? "",
      device,
      deviceName,
      since,
      until: expiryOf(certificate),
      current: isCurrent(state, found),
      revokedAt: revokedAt ?? null,
      replacedBy: replacedBy ?? null,
    }
  })
}

export type InviteRow = {
  readonly name: string
  readonly madeAt: number
  readonly expiresAt: number
  readonly invitedBy: string | null
  readonly state: "open" | "used" | "expired" | "withdrawn"
}

export function listInvites(state: RegistryState, now: number): InviteRow[] {
  return [...state.invitations.values()].map(({ name, user, at, expiresAt, by, lapsed, admitted }) => ({
    name: state.users.get(user)?.name ?? name,
    madeAt: at,
    expiresAt,
    invitedBy: by === null ? null : userNameOf(state, by),
    state: admitted !== undefined ? "used" : lapsed ? "withdrawn" : expiresAt <= now ? "expired" : "open",
  }))
}

function findUser(state: RegistryState, name: string): User {
  const found = [...state.users.values()].find((user) => user.name === name && isActive(user))
  if (found !== undefined) return found
  throw new Fault("not-found", `there is no user ${name} at this broker`, "mqttchat broker users")
}

/** By its id or the beginning of it. */
function findDevice(state: RegistryState, user: Pick<User, "id" | "name">, prefix: string): Device {
  const found = devicesOf(state, user.id).filter(({ device }) => prefix !== "" && device.startsWith(prefix))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const what =
    only === undefined ? `${user.name} has no device ${prefix}` : `${prefix} may be several devices`
  throw new Fault("not-found", what, "mqttchat broker devices")
}

function userNameOf(state: RegistryState, device: string): string {
  const user = state.devices.get(device)?.user ?? ""
  return state.users.get(user)?.name ?? ""
}

function expiryOf(certificate: string): number {
  return Date.parse(new X509Certificate(Buffer.from(certificate, "base64url")).validTo)
}

function nameTaken(name: string): Fault {
  return new Fault(
    "exists",
    `there is a user ${name} at this broker already`,
    `mqttchat broker invite ${name} --again, for a new laptop of the same person`,
  )
}
