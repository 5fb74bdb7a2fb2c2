import * as v from "valibot"

import * as shape from "./shapes.ts"

const { empty, name } = shape

/** What an operator can ask of the broker's registrar; the key is the JSON-RPC method name. */
export const ADMIN_COMMANDS = {
  invite: {
    about:
      "Makes an invitation for a new user; with `again` for a user who exists, as after the loss of a laptop or of an " +
      "invitation.",
    params: v.strictObject({ user: name, again: v.optional(v.boolean(), false) }),
    result: shape.invitation,
  },
  users: { about: "All users, revoked ones too.", params: empty, result: v.array(shape.user) },
  devices: { about: "All devices, revoked ones too.", params: empty, result: v.array(shape.device) },
  invites: { about: "All invitations, used ones too.", params: empty, result: v.array(shape.invite) },
  rename: {
    about: "Gives a user another name.",
    params: v.strictObject({ user: name, name }),
    result: shape.renamed,
  },
  revoke: {
    about:
      "Revokes one device of a user, named by its id or the beginning of it; without a device, the user with all devices.",
    params: v.strictObject({ user: name, device: v.exactOptional(name) }),
    result: shape.revocation,
  },
  inviters: {
    about: "Says who may invite; with `members`, sets it first.",
    params: v.strictObject({ members: v.exactOptional(v.boolean()) }),
    result: shape.inviters,
  },
  status: {
    about: "Connections, queues, rates and certificates of the embedded broker.",
    params: empty,
    result: shape.brokerStatus,
  },
} as const

export type AdminCommand = keyof typeof ADMIN_COMMANDS
export type AdminParams<C extends AdminCommand> = v.InferOutput<(typeof ADMIN_COMMANDS)[C]["params"]>
export type AdminResults = { [C in AdminCommand]: v.InferOutput<(typeof ADMIN_COMMANDS)[C]["result"]> }

export type User = AdminResults["users"][number]
export type Device = AdminResults["devices"][number]
export type Invite = AdminResults["invites"][number]
export type BrokerStatus = AdminResults["status"]
/** What the broker itself knows of its status. */
export type BrokerReport = Omit<BrokerStatus, "deviceExpiresAt">

/** What asks: the registrar in this process, or the one of a running broker behind its socket. */
export type AdminClient = {
  readonly call: <C extends AdminCommand>(command: C, params: AdminParams<C>) => Promise<AdminResults[C]>
}
