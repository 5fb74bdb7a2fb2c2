import { toBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { inviteUser, type Registry, renameUser, revoke, setInviters } from "../members.ts"
import type {
  AdminClient,
  AdminCommand,
  AdminParams,
  AdminResults,
  BrokerReport,
  Device,
} from "./commands.ts"
import { listDevices, listInvites, listUsers } from "./lists.ts"

/** The registrar as the operator reaches it. */
export type AdminContext = Registry & {
  /** Makes the broker disconnect and refuse what was revoked. */
  readonly enforce: () => Promise<void>
  /** Only where the broker runs in this process. */
  readonly report?: (() => BrokerReport) | undefined
}

type Handlers = { readonly [C in AdminCommand]: (params: AdminParams<C>) => Promise<AdminResults[C]> }

/** Answers the operator's commands in this process. */
export function openAdminHandlers(admin: AdminContext): AdminClient {
  const { ledger, now } = admin
  const handlers: Handlers = {
    invite: async ({ user, again }) => {
      const { invitation, ...rest } = await inviteUser(admin, { name: user, again })
      return { ...rest, invitation: toBase64url(invitation) }
    },
    users: () => Promise.resolve(listUsers(ledger.state)),
    devices: () => Promise.resolve(listDevices(ledger.state)),
    invites: () => Promise.resolve(listInvites(ledger.state, now())),
    rename: async (params) => ({ name: await renameUser(admin, params) }),
    revoke: async ({ user, device }) => {
      const devices = await revoke(admin, { user, device: device ?? null })
      return { devices, reason: await faultMessageOf(admin.enforce()) }
    },
    inviters: async ({ members }) => {
      if (members !== undefined) await setInviters(admin, members)
      return { members: ledger.state.membersMayInvite }
    },
    status: () => {
      if (admin.report === undefined) return Promise.reject(noEmbeddedBroker())
      const deviceExpiresAt = nextToExpire(listDevices(ledger.state))
      return Promise.resolve({ ...admin.report(), deviceExpiresAt })
    },
  }
  return { call: (command, params) => handlers[command](params) }
}

function noEmbeddedBroker(): Fault {
  return new Fault(
    "unavailable",
    "the broker is an external one: its own tools show its status",
    "mqttchat broker users",
  )
}

function nextToExpire(devices: readonly Device[]): number | null {
  const ends = devices.flatMap(({ revokedAt, expiresAt }) => (revokedAt === null ? [expiresAt] : []))
  return ends.length === 0 ? null : Math.min(...ends)
}

/** The ledger has it, so it will be applied; the operator must know that it is not applied yet. */
async function faultMessageOf(enforced: Promise<void>): Promise<string | null> {
  try {
    await enforced
    return null
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return fault.message
  }
}
