import { writeFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { systemRandom } from "../../crypto/random.ts"
import { diskFault, Fault } from "../../errors.ts"
import { takeLock } from "../../fs/lock-file.ts"
import type { Authority } from "../../registrar/authority.ts"
import type { Bouncer } from "../../registrar/enforcement.ts"
import type { Ledger } from "../../registrar/ledger.ts"
import type { Registrar, RegistrarPoint } from "../../registrar/registrar.ts"
import type { BrokerAddress, Trust } from "../../transport/transport.ts"
import { display, displayName, safe } from "../../wire/text.ts"
import type { BrokerKeys } from "./keys.ts"
import { layOutInvitation, type Notice, writeNotice } from "../broker-notice.ts"
import type { Context } from "../context.ts"
import { type OfficeKeeper, serveOffice } from "./office.ts"

export const REVOCATION_LIST = "crl.pem"

/** Broker and registrar share one folder, one ledger and one lock. Fault `exists` while another process has it. */
export function holdBrokerLock({ paths, lifetime, profile }: Context): void {
  const lock = takeLock(paths.brokerLock)
  if (lock.kind === "held") {
    const message = `the broker of the profile ${profile} is running already (process ${lock.pid})`
    throw new Fault("exists", message, "mqttchat pair")
  }
  lifetime.defer(lock.release)
}

/** False for a device that was revoked, and for one that the ledger does not know: it may be older than what was lost. */
export function mayEnter({ roll }: Ledger): (device: string) => boolean {
  return (id) => {
    const device = roll.devices.get(id)
    return device !== undefined && device.revokedAt === undefined
  }
}

export type RegistrarPlace = {
  readonly address: BrokerAddress
  /** Other nodes of the broker. */
  readonly others?: readonly BrokerAddress[]
  readonly trust: Exclude<Trust, { kind: "unproven" }>
  readonly bouncer: (authority: Authority) => Bouncer
}

/** Answers whoever registers at the broker at `place`, until the command ends. */
export async function startRegistrar(
  context: Context,
  { authority, registrarSecret }: BrokerKeys,
  ledger: Ledger,
  place: RegistrarPlace,
): Promise<Registrar> {
  const [{ openRegistrar }, { pinOf }, { connectMqtt }] = await Promise.all([
    import("../../registrar/registrar.ts"),
    import("../../broker/certificates.ts"),
    import("../../transport/mqtt.ts"),
  ])
  const { lifetime, out, env } = context
  const registrar = await openRegistrar({
    connect: connectMqtt,
    ...place,
    keys: authority,
    pin: pinOf(authority.caCertificate),
    boxSecret: registrarSecret,
    ledger,
    onState: (state) => {
      if (state.kind === "stopped") out.warn(safe`the registrar stopped: ${display(state.why.message)}`)
    },
    onAdmitted: ({ deviceName, operator }) => {
      out.say(safe`let in: ${displayName(deviceName)}${operator ? safe` (your own profile)` : safe``}`)
    },
    onTrouble: ({ message }) => {
      out.warn(safe`a device that was replaced is not shut out yet: ${display(message)}`)
    },
    random: systemRandom,
    now: Date.now,
    reach: reachOf(env),
  })
  lifetime.defer(registrar.close)
  return registrar
}

/** Leaves the way in for the profile beside it, and answers the operator's other commands until the command ends. */
export async function openToOperator(
  { paths, lifetime }: Context,
  registrar: Registrar,
  notice: Notice,
  report?: OfficeKeeper["report"],
): Promise<void> {
  const { inviteOperator } = await import("../../registrar/members.ts")
  writeNotice(paths, notice)
  layOutInvitation(paths, await inviteOperator(registrar))
  const office = await serveOffice({ ...registrar, report }, paths.brokerSocket)
  lifetime.defer(office.close)
}

/** Who may read a revocation list, which holds nothing secret: its own folder's user, or a broker of another user. */
export const LIST_MODE = { own: 0o600, everybody: 0o644 } as const

/** Puts the list where a broker reads it, in one step. */
export function writeRevocationList(path: string, list: string, mode: number): void {
  try {
    writeFileSync(`${path}.new`, list, { mode })
    renameSync(`${path}.new`, path)
  } catch (cause) {
    throw diskFault(cause, `write ${path}`)
  }
}

/** The embedded broker asks the ledger at each connection; the list is written for whoever else trusts this authority. */
export function embeddedBouncer({ paths }: Context, expel: Bouncer["expel"]): Bouncer {
  const path = join(paths.broker, REVOCATION_LIST)
  return {
    takeUp: (list) => {
      writeRevocationList(path, list, LIST_MODE.own)
      return Promise.resolve()
    },
    expel,
  }
}

/** For crash tests: MQTTCHAT_DIE_AT names one of `REGISTRAR_POINTS`, and there this process kills itself. */
function reachOf(env: Context["env"]): (point: RegistrarPoint) => void {
  const deadly = env["MQTTCHAT_DIE_AT"]
  return (point) => {
    if (point === deadly) process.kill(process.pid, "SIGKILL")
  }
}
