import * as v from "valibot"
import { toBase64url } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { connectAsker } from "../../daemon/client.ts"
import type { Service } from "../../daemon/caller.ts"
import { type Served, serveCommands } from "../../daemon/server.ts"
import { Fault } from "../../errors.ts"
import { takeLock } from "../../fs/lock-file.ts"
import {
  type DeviceRow,
  invitePerson,
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
import { readNotice } from "../broker-notice.ts"
import type { BrokerReport, BrokerStatus } from "./status.ts"
import type { Context } from "../context.ts"
import { holdLedger } from "./ledger.ts"

/** A user's name has 64 bytes at most, a device id 22. */
const NAME_MAX = 64
/** A broker that is just starting has its lock a moment before it can be asked. */
const OFFICE_WAIT_MS = 15_000
const OFFICE_POLL_MS = 50

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))

/** What an operator can ask of the broker's registrar; the key is the JSON-RPC method name. */
const OFFICE = {
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

type Duty = keyof typeof OFFICE
type Params<D extends Duty> = v.InferOutput<(typeof OFFICE)[D]["params"]>

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

type Handlers = { readonly [D in Duty]: (params: Params<D>) => Promise<Results[D]> }

/** Whoever keeps the ledger: the running broker, or this process while none runs. */
export type Office = { readonly call: <D extends Duty>(duty: D, params: Params<D>) => Promise<Results[D]> }

/** `enforce` shuts out at the broker whoever was revoked. */
export type OfficeKeeper = Registry & {
  readonly enforce: () => Promise<void>
  /** Only where the broker runs in this process. */
  readonly report?: (() => BrokerReport) | undefined
}

/** Lets the operator's other commands reach the running broker or registrar. */
export function serveOffice(keeper: OfficeKeeper, socketPath: string): Promise<Served> {
  const office = keep(keeper)
  const call: Service["call"] = (method, params) => office.call(method as Duty, params)
  return serveCommands({ commands: OFFICE, call, listen: () => () => undefined }, socketPath)
}

/**
 * The running broker or registrar of this profile, or where none runs the ledger itself. Faults `no-profile` where no
 * broker has run yet, `unavailable` when one runs and does not answer.
 */
export async function openOffice(context: Context): Promise<Office> {
  const { paths, lifetime } = context
  const deadline = Date.now() + OFFICE_WAIT_MS
  for (;;) {
    const asker = await connectAsker(paths.brokerSocket)
    if (asker !== undefined) {
      lifetime.defer(asker.close)
      // The other end is this same program, run by this same user.
      return { call: async (duty, params) => (await asker.ask(duty, params)) as Results[typeof duty] }
    }
    const notice = readNotice(paths)
    if (notice === undefined) throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
    const lock = takeLock(paths.brokerLock)
    if (lock.kind === "taken") {
      lifetime.defer(lock.release)
      const ledger = await holdLedger(context)
      return keep({
        ledger,
        publicKey: notice.registrar,
        random: systemRandom,
        now: Date.now,
        enforce: later,
      })
    }
    if (Date.now() > deadline) {
      throw new Fault("unavailable", `the broker (process ${lock.pid}) does not answer`, `kill ${lock.pid}`)
    }
    await new Promise((resolve) => setTimeout(resolve, OFFICE_POLL_MS))
  }
}

function later(): Promise<void> {
  return Promise.reject(new Fault("unavailable", "no broker is running here", "mqttchat broker"))
}

function keep(keeper: OfficeKeeper): Office {
  const { ledger, now } = keeper
  const handlers: Handlers = {
    invite: async (wish) => {
      const { invitation, expiresAt } = await invitePerson(keeper, wish)
      return { invitation: toBase64url(invitation), expiresAt }
    },
    users: () => Promise.resolve(listUsers(ledger.roll)),
    devices: () => Promise.resolve(listDevices(ledger.roll)),
    invites: () => Promise.resolve(listInvites(ledger.roll, now())),
    rename: async (wish) => {
      await renameUser(keeper, wish)
      return null
    },
    revoke: async (wish) => {
      const devices = await revoke(keeper, wish)
      return { devices, trouble: await troubleOf(keeper.enforce()) }
    },
    inviters: async ({ members }) => {
      if (members !== null) await setInviters(keeper, members)
      return { members: ledger.roll.membersMayInvite }
    },
    status: () => {
      if (keeper.report === undefined) return Promise.reject(noBroker())
      return Promise.resolve({ ...keeper.report(), devicesUntil: nextToExpire(listDevices(ledger.roll)) })
    },
  }
  return { call: (duty, params) => handlers[duty](params) }
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
async function troubleOf(enforced: Promise<void>): Promise<string | null> {
  try {
    await enforced
    return null
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return fault.message
  }
}
