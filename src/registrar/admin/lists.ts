import { X509Certificate } from "node:crypto"

import { devicesOf, isCurrent, type RegistryState } from "../registry-state.ts"
import type { Device, Invite, User } from "./commands.ts"

export function listUsers(state: RegistryState): User[] {
  return [...state.users.values()].map(({ id, name, operator, at, by, revokedAt }) => ({
    id,
    name,
    operator,
    addedAt: at,
    invitedBy: by === null ? null : userNameOf(state, by),
    devices: devicesOf(state, id).filter(({ revokedAt: gone }) => gone === undefined).length,
    revokedAt: revokedAt ?? null,
  }))
}

export function listDevices(state: RegistryState): Device[] {
  return [...state.devices.values()].map((found) => {
    const { user, device, deviceName, since, certificate, revokedAt, replacedBy } = found
    return {
      device,
      deviceName,
      userId: user,
      user: state.users.get(user)?.name ?? "",
      addedAt: since,
      expiresAt: expiryOf(certificate),
      current: isCurrent(state, found),
      revokedAt: revokedAt ?? null,
      replacedBy: replacedBy ?? null,
    }
  })
}

export function listInvites(state: RegistryState, now: number): Invite[] {
  return [...state.invitations.values()].map(({ name, user, at, expiresAt, by, lapsed, admitted }) => ({
    user: state.users.get(user)?.name ?? name,
    createdAt: at,
    expiresAt,
    invitedBy: by === null ? null : userNameOf(state, by),
    state: admitted !== undefined ? "used" : lapsed ? "withdrawn" : expiresAt <= now ? "expired" : "open",
  }))
}

function userNameOf(state: RegistryState, device: string): string {
  const user = state.devices.get(device)?.user ?? ""
  return state.users.get(user)?.name ?? ""
}

function expiryOf(certificate: string): number {
  return Date.parse(new X509Certificate(Buffer.from(certificate, "base64url")).validTo)
}
