import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Fault } from "../../errors.ts"
import { replaceFile } from "../../fs/atomic-file.ts"
import type { Authority } from "../../registrar/authority.ts"
import type { BrokerControl } from "../../registrar/enforcement.ts"
import { makePrivateFolder } from "../../fs/private-folder.ts"
import { connectMqtt } from "../../transport/mqtt.ts"
import type { Connect } from "../../transport/transport.ts"
import { formatAddress, parseAddress, parseAddresses } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import { brokerKeys } from "../broker/keys.ts"
import { LastRunKeeper, readLastRun, reportFiles } from "../broker/last-run.ts"
import { holdLedger } from "../broker/ledger.ts"
import { type BrokerDescriptor, proofOf } from "../profile/broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { serveRabbitmqAuth } from "./rabbitmq/rabbitmq-auth.ts"
import {
  holdBrokerLock,
  CRL_MODE,
  serveOperator,
  type RegistrarTarget,
  CRL_FILE,
  startRegistrar,
} from "../broker/registrar.ts"

const PID = /^[1-9][0-9]{0,9}\s*$/

export type ExternalRegistrarOptions = {
  readonly broker: string
  /** Where guests connect, if elsewhere. */
  readonly guests?: string
  /** The broker's certificate is publicly trusted. */
  readonly byName?: boolean
  /** Where the broker reads its revocation list. */
  readonly crl?: string
  /** File with the process id of the broker, which reloads the list on SIGHUP. */
  readonly pidFile?: string
  /** The broker is RabbitMQ, which asks for access decisions at this port of loopback. */
  readonly rabbitmq?: number
  readonly newAuthority?: boolean
}

/** Runs the registrar of this profile for an external broker, until the command ends. */
export async function serveRegistrar(context: Context, options: ExternalRegistrarOptions): Promise<never> {
  const [address, ...others] = parseAddresses(options.broker) ?? []
  const guests = options.guests === undefined ? undefined : parseAddress(options.guests)
  if (address === undefined || (guests === undefined && options.guests !== undefined)) {
    throw new Fault("usage", "this is not the address of a broker", "mqttchat registrar --broker HOST[:PORT]")
  }
  makePrivateFolder(context.paths.broker)
  holdBrokerLock(context)
  const lastRun = readLastRun(context.paths)
  const keys = await brokerKeys(context, options.newAuthority)
  const ledger = await holdLedger(context)
  reportFiles(context, ledger, lastRun)
  const lastRunKeeper = new LastRunKeeper(context, ledger)
  context.lifetime.defer(() => lastRunKeeper.stop())
  const { pinOf } = await import("../../broker/certificates.ts")
  const pin = pinOf(keys.authority.caCertificate)
  const nodes = { address, ...(others.length === 0 ? {} : { others }) }
  const proof = { pin, ...(options.byName === true ? { byName: true as const } : {}) }
  const rabbitmq =
    options.rabbitmq === undefined ? undefined : await serveRabbitmqAuth(context, ledger, options.rabbitmq)
  const target = { ...nodes, trust: proofOf(proof), connect: rabbitmq?.connect ?? connectMqtt }
  const brokerControl = (authority: Authority): BrokerControl => {
    const control = externalBrokerControl(context, options, target, authority)
    return rabbitmq?.withAuthBackend(control) ?? control
  }
  const registrar = await startRegistrar(context, keys, ledger, { ...target, brokerControl })
  const { publicKey } = registrar
  const descriptor: BrokerDescriptor = { ...nodes, ...proof, ...(guests && { guests }), registrar: publicKey }
  await serveOperator(context, registrar, descriptor)
  await lastRunKeeper.start()
  printRunning(context, formatAddress(address))
  return await new Promise<never>(() => undefined)
}

function externalBrokerControl(
  { paths }: Context,
  { crl = join(paths.broker, CRL_FILE), pidFile }: ExternalRegistrarOptions,
  target: Omit<RegistrarTarget, "brokerControl"> & { readonly connect: Connect },
  authority: Authority,
): BrokerControl {
  return {
    publishCrl: async (list) => {
      await replaceFile(crl, list, CRL_MODE.everyone)
      if (pidFile !== undefined) reloadCrl(pidFile)
    },
    disconnect: async (device) => {
      const { disconnectByTakeover } = await import("../../registrar/session-takeover.ts")
      await disconnectByTakeover({ ...target, now: Date.now }, authority)(device)
    },
  }
}

/** Makes the broker reload its revocation list. Fault `unavailable` if its process cannot be signalled. */
function reloadCrl(pidFile: string): void {
  try {
    const text = readFileSync(pidFile, "latin1")
    if (!PID.test(text)) throw new Error("it has no process id")
    process.kill(Number(text), "SIGHUP")
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown error"
    throw new Fault(
      "unavailable",
      `the broker could not be told to reload its revocation list: ${pidFile}: ${why}`,
      "make it reload the list, then start the registrar again",
      cause,
    )
  }
}

function printRunning({ out }: Context, where: string): void {
  if (out.json) out.report.record("mqttchat/registrar/1", { broker: where })
  else {
    out.done(safe`registrar running   at ${display(where)}`)
    out.next(safe`to add a person, in another terminal: mqttchat broker invite NAME`)
    out.info(
      safe`Ctrl+C stops it; registered devices can still connect, but no new ones can register meanwhile`,
    )
  }
}
