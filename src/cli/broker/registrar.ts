import { join } from "node:path"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { replaceFile } from "../../fs/atomic-file.ts"
import { takeLock } from "../../fs/lock-file.ts"
import type { Authority } from "../../registrar/authority.ts"
import type { BrokerControl } from "../../registrar/enforcement.ts"
import type { Ledger } from "../../registrar/ledger.ts"
import type { Registrar } from "../../registrar/registrar.ts"
import type { BrokerAddress, Trust } from "../../transport/transport.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { BrokerKeys } from "./keys.ts"
import {
  writeOperatorInvitation,
  type BrokerDescriptor,
  writeBrokerDescriptor,
} from "../profile/broker-descriptor.ts"
import { failpointOf } from "../profile/failpoint.ts"
import { stateFields } from "../debug/debug-connect.ts"
import type { Context } from "../terminal/context.ts"
import { completeImport } from "./import-folder.ts"
import { serveAdmin } from "./admin-rpc.ts"
import type { AdminContext } from "../../registrar/admin/handlers.ts"

export const CRL_FILE = "crl.pem"

/** Broker and registrar share one folder, one ledger and one lock. Fault `exists` if another process holds it. */
export function holdBrokerLock({ paths, lifetime, profile }: Context): void {
  const lock = takeLock(paths.brokerLock)
  if (lock.kind === "held") {
    const message = `the broker of the profile ${profile} is running already (process ${lock.pid})`
    throw new Fault("exists", message, "mqttchat pair")
  }
  lifetime.defer(lock.release)
  completeImport(paths)
}

/** False for a revoked device and for an unknown one: a ledger restored from an old copy may lack its revocation. */
export function mayConnect({ state }: Ledger): (device: string) => boolean {
  return (id) => {
    const device = state.devices.get(id)
    return device !== undefined && device.revokedAt === undefined
  }
}

/** The user whose device it is. */
export function memberOf({ state }: Ledger): (device: string) => string {
  return (id) => state.devices.get(id)?.user ?? id
}

export type RegistrarTarget = {
  readonly address: BrokerAddress
  /** Other nodes of the broker. */
  readonly others?: readonly BrokerAddress[]
  readonly trust: Exclude<Trust, { kind: "unproven" }>
  readonly brokerControl: (authority: Authority) => BrokerControl
}

/** Answers registrations at the broker at `place`, until the command ends. */
export async function startRegistrar(
  context: Context,
  { authority, registrarSecret }: BrokerKeys,
  ledger: Ledger,
  target: RegistrarTarget,
): Promise<Registrar> {
  const [{ openRegistrar }, { pinOf }, { connectMqtt }] = await Promise.all([
    import("../../registrar/registrar.ts"),
    import("../../broker/certificates.ts"),
    import("../../transport/mqtt.ts"),
  ])
  const { lifetime, out, env, debug } = context
  let reported: string | undefined
  const registrar = await openRegistrar({
    connect: connectMqtt,
    ...target,
    keys: authority,
    pin: pinOf(authority.caCertificate),
    boxSecret: registrarSecret,
    ledger,
    onState: (state) => {
      debug("registrar", "state", stateFields(state))
      if (state.kind === "stopped" && state.why.message !== reported)
        out.warn(safe`the registrar cannot work, and tries again: ${display(state.why.message)}`)
      reported = state.kind === "stopped" ? state.why.message : undefined
    },
    onAdmitted: (device, user) => out.info(admittedRow(user, device)),
    onTrouble: ({ message }) => {
      out.warn(safe`a device that was replaced is not shut out yet: ${display(message)}`)
    },
    random: systemRandom,
    now: Date.now,
    reach: failpointOf(env),
    debug,
  })
  lifetime.defer(registrar.close)
  return registrar
}

/** Writes the broker descriptor for this profile, and answers the operator's other commands until the command ends. */
export async function serveOperator(
  { paths, lifetime, debug }: Context,
  registrar: Registrar,
  descriptor: BrokerDescriptor,
  report?: AdminContext["report"],
): Promise<void> {
  const { inviteOperator } = await import("../../registrar/members.ts")
  await writeBrokerDescriptor(paths, descriptor)
  await writeOperatorInvitation(paths, await inviteOperator(registrar))
  const server = await serveAdmin({ ...registrar, report }, paths.brokerSocket, debug)
  lifetime.defer(server.close)
}

/** Mode of a revocation list. It holds no secret, and the broker may run as another user. */
export const CRL_MODE = { own: 0o600, everyone: 0o644 } as const

/** The embedded broker asks the ledger at each connection; the list is for other servers that trust this authority. */
export function embeddedBrokerControl(
  { paths }: Context,
  disconnect: BrokerControl["disconnect"],
): BrokerControl {
  const path = join(paths.broker, CRL_FILE)
  return {
    publishCrl: (list) => replaceFile(path, list, CRL_MODE.own),
    disconnect,
  }
}

/** Under the name that the broker has for them: the one that a device gives itself may be anybody's. */
function admittedRow(user: string, admitted: { deviceName: string; operator: boolean }): SafeText {
  const { deviceName, operator } = admitted
  if (operator) return safe`let in: ${displayName(deviceName)} (your own profile)`
  const device = user === deviceName ? safe`` : safe`, with a device called ${displayName(deviceName)}`
  return safe`let in: ${displayName(user)}${device}`
}
