import { Fault } from "../errors.ts"
import { newInvitation } from "./decide.ts"
import type { Signer } from "./issue.ts"
import type { Ledger } from "./ledger.ts"
import { TakenNames } from "../wire/taken-names.ts"
import { isActive, OPERATOR, requireFitName } from "./names.ts"
import {
  type Device,
  devicesOf,
  isCurrent,
  operatorOf,
  type RegistryState,
  type User,
} from "./registry-state.ts"
import { shellCommand } from "../shell-command.ts"

/** The ledger, and what an invitation needs. */
export type Registry = Signer & { readonly ledger: Ledger }

/**
 * A new invitation (72 bytes) for a new person; with `again` for an existing user, as after the loss of a laptop
 * or of an invitation. A new name that looks like another user's gets a number. On disk before it is given out. Faults
 * `exists`, `not-found` and `usage`.
 */
export async function inviteUser(
  registry: Registry,
  { name, again }: { readonly name: string; readonly again: boolean },
): Promise<{ readonly user: string; readonly invitation: Uint8Array; readonly expiresAt: number }> {
  const { entry, invitation } = await registry.ledger.transact((state) => {
    const known = again ? findUser(state, name) : undefined
    const options = {
      name: known === undefined ? newName(state, name, undefined) : name,
      by: null,
      operator: known?.operator ?? false,
    }
    return newInvitation(registry, known === undefined ? options : { ...options, user: known.id })
  })
  return { user: entry.name, invitation, expiresAt: entry.expiresAt }
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
      name: before?.name ?? state.names.free(OPERATOR),
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
  { user, name }: { readonly user: string; readonly name: string },
): Promise<string> {
  const { entry } = await ledger.transact((state) => {
    const { id } = findUser(state, user)
    return { entry: { kind: "renamed", at: now(), user: id, name: newName(state, name, id) } as const }
  })
  return entry.name
}

/** The name that the operator chose for this user, with a number where it looks like that of another one. */
function newName(state: RegistryState, name: string, owner: string | undefined): string {
  requireFitName(name)
  const others = [...state.users.values()].filter((user) => user.id !== owner && isActive(user))
  if (others.some((user) => user.name === name)) throw nameTaken(name)
  return new TakenNames(others.map((user) => user.name).filter((taken) => taken !== "")).free(name)
}

/**
 * Notes that a user, or one device of theirs, may come in no more; gives the ids of the devices that it meets.
 * `enforce` of the registrar then shuts them out. Faults `not-found`.
 */
export async function revoke(
  { ledger, now }: Pick<Registry, "ledger" | "now">,
  { user, device }: { readonly user: string; readonly device: string | null },
): Promise<string[]> {
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

function nameTaken(name: string): Fault {
  return new Fault(
    "exists",
    `there is a user ${name} at this broker already`,
    `${shellCommand`mqttchat broker invite ${name} --again`}, for a new laptop of the same person`,
  )
}
