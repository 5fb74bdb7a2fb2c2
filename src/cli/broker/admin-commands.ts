import { guestAddressOf, membersOf } from "../../engine/connection/broker-addresses.ts"
import { fromBase64url } from "../../crypto/bytes.ts"
import type { Device, Invite, User } from "../../registrar/admin/commands.ts"
import { formatInvitationLink } from "../../wire/invitation-link.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import { Fault } from "../../errors.ts"
import {
  brokerConfigOf,
  type BrokerDescriptor,
  proofOf,
  readBrokerDescriptor,
} from "../profile/broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { markedName } from "../terminal/format.ts"
import { normalizedName } from "../terminal/names.ts"
import { openAdmin } from "./admin-rpc.ts"
import { showQr } from "../terminal/qr.ts"
import { shellCommand } from "../../shell-command.ts"

/** So many characters of a device id tell a user's few devices apart. */
const DEVICE_DIGITS = 8

export type InviteOptions = {
  readonly again?: boolean
  /** False for --no-qr. */
  readonly qr: boolean
}

/** Prints one line that one person can register with, once. */
export async function inviteMember(context: Context, typed: string, options: InviteOptions): Promise<void> {
  const { out } = context
  const name = normalizedName(typed)
  const admin = await openAdmin(context)
  const { user, invitation, expiresAt } = await admin.call("invite", {
    user: name,
    again: options.again === true,
  })
  warnIfNumbered(context, name, user)
  const line = encodeInvitation(descriptorOf(context), invitation)
  if (out.json) {
    out.record("mqttchat/invitation/1", { user, invitation: line, expiresAt })
    return
  }
  out.info(safe`On the laptop of ${displayName(user)} run:\n`)
  out.data(safe`    ${shellCommand`mqttchat register ${line}`}`)
  out.info(safe``)
  if (options.qr && !context.out.ascii) await showQr(line)
  out.info(
    safe`good for one person until ${day(expiresAt)}; the first who uses it gets in, so hand it over safely`,
  )
}

function descriptorOf({ paths }: Context): BrokerDescriptor {
  const descriptor = readBrokerDescriptor(paths)
  if (descriptor !== undefined) return descriptor
  throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
}

function encodeInvitation(descriptor: BrokerDescriptor, invitation: string): string {
  const broker = brokerConfigOf(descriptor)
  return formatInvitationLink({
    address: guestAddressOf(broker),
    proof: proofOf(descriptor),
    invitation: fromBase64url(invitation) ?? new Uint8Array(),
    ...membersOf(broker),
  })
}

export async function users(context: Context): Promise<void> {
  const { out } = context
  for (const user of await (await openAdmin(context)).call("users", {})) {
    if (out.json) out.record("mqttchat/user/1", user)
    else out.data(userRow(user))
  }
}

function userRow({ name, operator, devices, addedAt, invitedBy, revokedAt }: User): SafeText {
  const state =
    revokedAt === null ? safe`${devices} ${devices === 1 ? safe`device ` : safe`devices`}` : safe`REVOKED  `
  const by = invitedBy === null ? safe`` : safe`, invited by ${displayName(invitedBy)}`
  const who = name === "" ? safe`(has not registered yet)` : markedName(name)
  return safe`${state}  since ${day(addedAt)}  ${who}${operator ? safe` (you)` : safe``}${by}`
}

export async function devices(context: Context): Promise<void> {
  const { out } = context
  for (const device of await (await openAdmin(context)).call("devices", {})) {
    if (out.json) out.record("mqttchat/device/1", device)
    else out.data(deviceRow(device))
  }
}

function deviceRow(row: Device): SafeText {
  const { user, device, deviceName, addedAt, expiresAt, current, revokedAt, replacedBy } = row
  const valid = current ? safe`until ${day(expiresAt)}` : safe`of an older authority`
  const end = replacedBy === null ? safe`REVOKED` : safe`REPLACED`
  const state = revokedAt === null ? valid : safe`${end} ${day(revokedAt)}`
  const devicePath = safe`${markedName(user)}/${display(device.slice(0, DEVICE_DIGITS))}`
  return safe`${devicePath}  since ${day(addedAt)}  ${state}  ${displayName(deviceName)}`
}

const INVITE_STATE: Record<Invite["state"], SafeText> = {
  open: safe`open     `,
  used: safe`used     `,
  expired: safe`expired  `,
  withdrawn: safe`withdrawn`,
}

export async function invites(context: Context): Promise<void> {
  const { out } = context
  for (const invite of await (await openAdmin(context)).call("invites", {})) {
    const { user, state, createdAt, expiresAt, invitedBy } = invite
    if (out.json) {
      out.record("mqttchat/invite/1", invite)
      continue
    }
    const by = invitedBy === null ? safe`` : safe`, by ${displayName(invitedBy)}`
    const who = user === "" ? safe`someone` : displayName(user)
    out.data(
      safe`${INVITE_STATE[state]}  made ${day(createdAt)}, good until ${day(expiresAt)}  for ${who}${by}`,
    )
  }
}

export async function renameMember(context: Context, user: string, typed: string): Promise<void> {
  const wanted = normalizedName(typed)
  const { name } = await (await openAdmin(context)).call("rename", { user, name: wanted })
  warnIfNumbered(context, wanted, name)
  context.out.done(safe`${displayName(user)} is now ${displayName(name)}`)
}

function warnIfNumbered({ out }: Context, wanted: string, name: string): void {
  if (name === wanted) return
  out.warn(safe`another user's name looks like ${displayName(wanted)}: this one is ${displayName(name)}`)
}

/** `USER` with all devices, or one as `USER/DEVICE`. */
export async function revokeMember(context: Context, typed: string): Promise<void> {
  const { out } = context
  const [, user = typed, device] = /^(.+)\/([A-Za-z0-9_-]{4,22})$/.exec(typed) ?? []
  const revoked = await (await openAdmin(context)).call("revoke", { user, ...(device && { device }) })
  if (out.json) out.report.record("mqttchat/revoked/1", { user, ...revoked })
  else {
    const { length } = revoked.devices
    out.done(safe`${display(typed)} is shut out: ${length} ${length === 1 ? safe`device` : safe`devices`}`)
  }
  if (revoked.reason !== null) {
    out.warn(safe`recorded, but not in force until the broker starts again: ${display(revoked.reason)}`)
  }
}

/** Prints who may invite, and sets it first if `who` is given. */
export async function inviters(context: Context, who: "operator" | "members" | undefined): Promise<void> {
  const { out } = context
  const setting = who === undefined ? {} : { members: who === "members" }
  const { members } = await (await openAdmin(context)).call("inviters", setting)
  const { record, data } = who === undefined ? out : out.report
  if (out.json) record("mqttchat/inviters/1", { inviters: members ? "members" : "operator" })
  else data(members ? safe`members may invite` : safe`only the operator may invite`)
}

function day(ms: number): SafeText {
  return display(new Date(ms).toISOString().slice(0, 10))
}
