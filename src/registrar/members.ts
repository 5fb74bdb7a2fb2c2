import { X509Certificate } from "node:crypto"

import { Fault } from "../errors.ts"
import { newInvitation } from "./admission.ts"
import type { Press } from "./granting.ts"
import type { Ledger } from "./ledger.ts"
import { freeName, isStanding } from "./names.ts"
import { type Device, devicesOf, isCurrent, operatorOf, type Roll, type User } from "./roll.ts"

const OPERATOR = "operator"

/** The ledger, and what it takes to invite somebody. */
export type Registry = Press & { readonly ledger: Ledger }

/**
 * A new invitation (72 bytes) for a new person; with `again` for somebody who is there, as after the loss of a laptop
 * or of an invitation. On disk before it is given out. Faults `exists` and `not-found`.
 */
export async function invitePerson(
  registry: Registry,
  { name, again }: { readonly name: string; readonly again: boolean },
): Promise<{ readonly invitation: Uint8Array; readonly expiresAt: number }> {
  const { entry, invitation } = await registry.ledger.transact((roll) => {
    const known = again ? findUser(roll, name) : undefined
    if (!again && freeName(roll.users.values(), name) !== name) throw taken(name)
    const wish = { name, by: null, operator: known?.operator ?? false }
    return newInvitation(registry, known === undefined ? wish : { ...wish, user: known.id })
  })
  return { invitation, expiresAt: entry.expiresAt }
}

/**
 * An invitation that lets the operator's own profile in, in place of any earlier one; undefined when a device has used
 * it. On disk before it is given out.
 */
export async function inviteOperator(registry: Registry): Promise<Uint8Array | undefined> {
  const { invitation } = await registry.ledger.transact((roll) => {
    const before = operatorOf(roll)
    if (before !== undefined && devicesOf(roll, before.id).some((device) => isCurrent(roll, device)))
      return NONE
    const wish = { name: before?.name ?? freeName(roll.users.values(), OPERATOR), by: null, operator: true }
    return newInvitation(registry, before === undefined ? wish : { ...wish, user: before.id })
  })
  return invitation
}

const NONE = { entry: undefined, invitation: undefined }

export async function renameUser(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  { user, to }: { readonly user: string; readonly to: string },
): Promise<void> {
  await ledger.transact((roll) => {
    const { id } = findUser(roll, user)
    if (freeName(roll.users.values(), to) !== to) throw taken(to)
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
  const { met } = await ledger.transact((roll) => {
    const { id, name } = findUser(roll, user)
    const one = device === null ? null : findDevice(roll, { id, name }, device).device
    const met = devicesOf(roll, id).filter((known) => one === null || known.device === one)
    const entry = { kind: "revoked", at: now(), user: id, device: one } as const
    return { entry, met: met.filter(isStanding).map((known) => known.device) }
  })
  return met
}

export async function setInviters(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  members: boolean,
): Promise<void> {
  await ledger.transact((roll) => ({
    entry: roll.membersMayInvite === members ? undefined : { kind: "inviters", at: now(), members },
  }))
}

export type UserRow = {
  readonly name: string
  readonly id: string
  readonly operator: boolean
  /** Unix ms. */
  readonly since: number
  /** Name of whoever brought this user; null for the operator's command. */
  readonly invitedBy: string | null
  /** Devices that may come in. */
  readonly devices: number
  readonly revokedAt: number | null
}

export function listUsers(roll: Roll): UserRow[] {
  return [...roll.users.values()].map(({ id, name, operator, at, by, revokedAt }) => ({
    name,
    id,
    operator,
    since: at,
    invitedBy: by === null ? null : ownerOf(roll, by),
    devices: devicesOf(roll, id).filter(({ revokedAt: gone }) => gone === undefined).length,
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

export function listDevices(roll: Roll): DeviceRow[] {
  return [...roll.devices.values()].map((found) => {
    const { user, device, deviceName, since, certificate, revokedAt, replacedBy } = found
    return {
      user: roll.users.get(user)?.name ?? "",
      device,
      deviceName,
      since,
      until: endOf(certificate),
      current: isCurrent(roll, found),
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

export function listInvites(roll: Roll, now: number): InviteRow[] {
  return [...roll.invitations.values()].map(({ name, user, at, expiresAt, by, lapsed, admitted }) => ({
    name: roll.users.get(user)?.name ?? name,
    madeAt: at,
    expiresAt,
    invitedBy: by === null ? null : ownerOf(roll, by),
    state: admitted !== undefined ? "used" : lapsed ? "withdrawn" : expiresAt <= now ? "expired" : "open",
  }))
}

function findUser(roll: Roll, name: string): User {
  const found = [...roll.users.values()].find((user) => user.name === name && isStanding(user))
  if (found !== undefined) return found
  throw new Fault("not-found", `there is no user ${name} at this broker`, "mqttchat broker users")
}

/** By its id or the beginning of it. */
function findDevice(roll: Roll, user: Pick<User, "id" | "name">, typed: string): Device {
  const found = devicesOf(roll, user.id).filter(({ device }) => typed !== "" && device.startsWith(typed))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const what = only === undefined ? `${user.name} has no device ${typed}` : `${typed} may be several devices`
  throw new Fault("not-found", what, "mqttchat broker devices")
}

function ownerOf(roll: Roll, device: string): string {
  const user = roll.devices.get(device)?.user ?? ""
  return roll.users.get(user)?.name ?? ""
}

function endOf(certificate: string): number {
  return Date.parse(new X509Certificate(Buffer.from(certificate, "base64url")).validTo)
}

function taken(name: string): Fault {
  return new Fault(
    "exists",
    `there is a user ${name} at this broker already`,
    `mqttchat broker invite ${name} --again, for a new laptop of the same person`,
  )
}
