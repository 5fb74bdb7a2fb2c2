import { systemRandom } from "../../crypto/random.ts"
import { connectRpc, type RpcClient } from "../../daemon/client.ts"
import type { Service } from "../../daemon/connection.ts"
import { debugService } from "../../daemon/debug-service.ts"
import { type RunningServer, serveCommands } from "../../daemon/server.ts"
import type { Debug } from "../../debug/debug.ts"
import { Fault } from "../../errors.ts"
import {
  ADMIN_COMMANDS,
  type AdminClient,
  type AdminCommand,
  type AdminResults,
} from "../../registrar/admin/commands.ts"
import { type AdminContext, openAdminHandlers } from "../../registrar/admin/handlers.ts"
import { type BrokerDescriptor, readBrokerDescriptor } from "../profile/broker-descriptor.ts"
import { connectOrLock } from "../profile/connect-or-lock.ts"
import type { Context } from "../terminal/context.ts"
import { silentBroker, silentProcess } from "../terminal/silent-process.ts"
import { holdLedger } from "./ledger.ts"

/** A broker takes its lock shortly before it answers. */
const ADMIN_WAIT_MS = 15_000

/** Lets the operator's other commands reach the running broker or registrar. */
export function serveAdmin(admin: AdminContext, socketPath: string, debug: Debug): Promise<RunningServer> {
  const client = openAdminHandlers(admin)
  const call: Service["call"] = (method, params) => client.call(method as AdminCommand, params)
  const service: Service = { commands: ADMIN_COMMANDS, call, listen: () => () => undefined }
  return serveCommands(debugService(service, debug), socketPath)
}

/**
 * The running broker or registrar of this profile; if none runs, the ledger itself. Faults `no-profile` if no broker
 * has run yet, `unavailable` if one runs and does not answer.
 */
export async function openAdmin(context: Context): Promise<AdminClient> {
  const { paths, debug } = context
  const reached = await connectOrLock(context, {
    connect: () => connectRpc(paths.brokerSocket, "broker", { debug, silence: silentBroker(paths) }),
    lock: paths.brokerLock,
    waitMs: ADMIN_WAIT_MS,
    beforeLock: () => void descriptorOf(context),
  })
  if (reached.kind === "connected") return adminClient(reached.client)
  if (reached.kind === "silent") throw silentProcess("the broker", reached.pid)
  return openAdminHandlers({
    ledger: await holdLedger(context),
    publicKey: descriptorOf(context).registrar,
    random: systemRandom,
    now: Date.now,
    enforce: notRunning,
  })
}

/** The running broker or registrar of this profile, or undefined if none runs. */
export async function connectAdmin({ paths, lifetime, debug }: Context): Promise<AdminClient | undefined> {
  const client = await connectRpc(paths.brokerSocket, "broker", { debug, silence: silentBroker(paths) })
  if (client === undefined) return undefined
  lifetime.defer(client.close)
  return adminClient(client)
}

/** The other end is this same program, run by this same user. */
function adminClient(client: RpcClient): AdminClient {
  return {
    call: async (command, params) => (await client.request(command, params)) as AdminResults[typeof command],
  }
}

function descriptorOf({ paths }: Context): BrokerDescriptor {
  const descriptor = readBrokerDescriptor(paths)
  if (descriptor !== undefined) return descriptor
  throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
}

function notRunning(): Promise<void> {
  return Promise.reject(new Fault("unavailable", "no broker is running here", "mqttchat broker"))
}
