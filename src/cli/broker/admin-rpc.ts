import * as v from "valibot"
import { toBase64url } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { connectRpc } from "../../daemon/client.ts"
import type { Service } from "../../daemon/connection.ts"
import { debugService } from "../../daemon/debug-service.ts"
import { type RunningServer, serveCommands } from "../../daemon/server.ts"
import type { Debug } from "../../debug/debug.ts"
import { Fault } from "../../errors.ts"
import {
  type DeviceRow,
  inviteUser,
  type InviteRow,
  listDevices,
  listInvites,
  listUsers,
  type Registry,
  renameUser,
  revoke,
  setInviters,
  type UserRow,
} from "../../registrar/members.ts"
import { type BrokerDescriptor, readBrokerDescriptor } from "../profile/broker-descriptor.ts"
import { connectOrLock } from "../profile/connect-or-lock.ts"
import type { BrokerReport, BrokerStatus } from "./status.ts"
import type { Context } from "../terminal/context.ts"
import { holdLedger } from "./ledger.ts"

/** A user's name has 64 bytes at most, a device id 22. */
const NAME_MAX = 64
/** A broker that is just starting has its lock a moment before it can be asked. */
const ADMIN_WAIT_MS = 15_000

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))

/** What an operator can ask of the broker's registrar; the key is the JSON-RPC method name. */
const ADMIN_COMMANDS = {
  /** With `again` for somebody who is there already. */
  invite: { params: v.strictObject({ name, again: v.boolean() }) },
  users: { params: v.strictObject({}) },
  devices: { params: v.strictObject({}) },
  invites: { params: v.strictObject({}) },
  rename: { params: v.strictObject({ user: name, to: name }) },
  /** Without a device: the user with all devices. */
  revoke: { params: v.strictObject({ user: name, device: v.nullable(name) }) },
  /** Sets who may invite, or with null only says it. */
  inviters: { params: v.strictObject({ members: v.nullable(v.boolean()) }) },
  status: { params: v.strictObject({}) },
} as const

type AdminCommand = keyof typeof ADMIN_COMMANDS
type Params<C extends AdminCommand> = v.InferOutput<(typeof ADMIN_COMMANDS)[C]["params"]>

type Results = {
  /** The invitation as base64url of its 72 bytes. */
  invite: { invitation: string; expiresAt: number }
  users: UserRow[]
  devices: DeviceRow[]
  invites: InviteRow[]
  rename: null
  /** `trouble` says why the broker does not know it yet; it will when it starts, or when its registrar does. */
  revoke: { devices: readonly string[]; trouble: string | null }
  inviters: { members: boolean }
  status: BrokerStatus
}

type Handlers = { readonly [C in AdminCommand]: (params: Params<C>) => Promise<Results[C]> }

/** Whoever keeps the ledger: the running broker, or this process while none runs. */
export type AdminClient = {
  readonly call: <C extends AdminCommand>(command: C, params: Params<C>) => Promise<Results[C]>
}

/** `enforce` shuts out at the broker whoever was revoked. */
export type AdminContext = Registry & {
  readonly enforce: () => Promise<void>
  /** Only where the broker runs in this process. */
  readonly report?: (() => BrokerReport) | undefined
}

/** Lets the operator's other commands reach the running broker or registrar. */
export function serveAdmin(admin: AdminContext, socketPath: string, debug: Debug): Promise<RunningServer> {
  const client = localAdmin(admin)
  const call: Service["call"] = (method, params) => client.call(method as AdminCommand, params)
  const service: Service = { commands: ADMIN_COMMANDS, call, listen: () => () => undefined }
  return serveCommands(debugService(service, debug), socketPath)
}

/**
 * The running broker or registrar of this profile, or where none runs the ledger itself. Faults `no-profile` where no
 * broker has run yet, `unavailable` when one runs and does not answer.
 */
export async function openAdmin(context: Context): Promise<AdminClient> {
  const { paths, debug } = context
  const reached = await connectOrLock(context, {
    connect: () => connectRpc(paths.brokerSocket, "broker", debug),
    lock: paths.brokerLock,
    waitMs: ADMIN_WAIT_MS,
    beforeLock: () => void descriptorOf(context),
  })
  if (reached.kind === "connected") {
    const { client } = reached
    // The other end is this same program, run by this same user.
    return {
      call: async (command, params) => (await client.request(command, params)) as Results[typeof command],
    }
  }
  if (reached.kind === "silent") {
    const { pid } = reached
    throw new Fault("unavailable", `the broker (process ${pid}) does not answer`, `kill ${pid}`)
  }
  return localAdmin({
    ledger: await holdLedger(context),
    publicKey: descriptorOf(context).registrar,
    random: systemRandom,
    now: Date.now,
    enforce: notRunning,
  })
}

function descriptorOf({ paths }: Context): BrokerDescriptor {
  const descriptor = readBrokerDescriptor(paths)
  if (descriptor !== undefined) return descriptor
  throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
}

function notRunning(): Promise<void> {
  return Promise.reject(new Fault("unavailable", "no broker is running here", "mqttchat broker"))
}

function localAdmin(admin: AdminContext): AdminClient {
  const { ledger, now } = admin
  const handlers: Handlers = {
    invite: async (params) => {
      const { invitation, expiresAt } = await inviteUser(admin, params)
      return { invitation: toBase64url(invitation), expiresAt }
    },
    users: () => Promise.resolve(listUsers(ledger.state)),
    devices: () => Promise.resolve(listDevices(ledger.state)),
    invites: () => Promise.resolve(listInvites(ledger.state, now())),
    rename: async (params) => {
      await renameUser(admin, params)
      return null
    },
    revoke: async (params) => {
      const devices = await revoke(admin, params)
      return { devices, trouble: await faultMessageOf(admin.enforce()) }
    },
    inviters: async ({ members }) => {
      if (members !== null) await setInviters(admin, members)
      return { members: ledger.state.membersMayInvite }
    },
    status: () => {
      if (admin.report === undefined) return Promise.reject(noBroker())
      return Promise.resolve({ ...admin.report(), devicesUntil: nextToExpire(listDevices(ledger.state)) })
    },
  }
  return { call: (command, params) => handlers[command](params) }
}

function noBroker(): Fault {
  return new Fault(
    "unavailable",
    "the broker runs elsewhere and tells its own tools how it is",
    "mqttchat broker users",
  )
}

function nextToExpire(devices: readonly DeviceRow[]): number | null {
  const ends = devices.flatMap(({ revokedAt, until }) => (revokedAt === null ? [until] : []))
  return ends.length === 0 ? null : Math.min(...ends)
}

/** It is in the ledger, so it will be done; that it is not done yet must be said. */
async function faultMessageOf(enforced: Promise<void>): Promise<string | null> {
  try {
    await enforced
    return null
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return fault.message
  }
}
