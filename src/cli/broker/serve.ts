import { join } from "node:path"
import type { Broker } from "../../broker/broker.ts"
import type { ServerCertificate } from "../../broker/certificates.ts"
import type { ListenAddress } from "../../broker/connection/listener.ts"
import { toHex } from "../../crypto/bytes.ts"
import type { Fault } from "../../errors.ts"
import type { Ledger } from "../../registrar/ledger.ts"
import { makePrivateFolder } from "../../fs/private-folder.ts"
import { MINUTE_MS } from "../../time-units.ts"
import { DEFAULT_PORT, formatAddress, LOOPBACK } from "../../wire/address.ts"
import { REGISTRAR_ID } from "../../wire/access-rules.ts"
import { display, safe } from "../../wire/text.ts"
import { type BrokerKeys, brokerKeys } from "./keys.ts"
import { type BrokerDescriptor, readBrokerDescriptor } from "../profile/broker-descriptor.ts"
import { LastRunKeeper, readLastRun, reportFiles, reportQueues } from "./last-run.ts"
import { holdLedger, JOURNAL_FILE } from "./ledger.ts"
import { reporter } from "./status.ts"
import type { Context } from "../terminal/context.ts"
import { firewallHint } from "./firewall.ts"
import { hasProfile } from "../profile/profile-exists.ts"
import {
  announcedAddress,
  ANY_ADDRESS,
  type BindAddress,
  chooseBindAddress,
  hostLabel,
  type ListenOptions,
} from "./bind-address.ts"
import {
  embeddedBrokerControl,
  holdBrokerLock,
  mayConnect,
  memberOf,
  serveOperator,
  startRegistrar,
} from "./registrar.ts"
import { groupDigits } from "../terminal/format.ts"
import { shellCommand } from "../../shell-command.ts"

/** The port that EMQX uses; none is registered. */
const WSS_PORT = 8084
const METRICS_PORT = 9883
const TROUBLE_EVERY_MS = MINUTE_MS
/** A machine whose clock has no battery makes the first certificate with a wrong time, and learns the right one soon. */
const CERTIFICATE_CHECK_MS = MINUTE_MS

export type BrokerOptions = ListenOptions & {
  readonly port?: number
  readonly watch?: boolean
  readonly newAuthority?: boolean
  /** Also serves MQTT over WebSocket, on this port. */
  readonly wss?: number | true
  /** Connections allowed from one address. */
  readonly perAddress?: number
  /** Metrics for Prometheus, on this port of loopback. */
  readonly metrics?: number | true
}

/**
 * Runs the broker and registrar of this laptop until the command ends, or stdout is lost. It opens no identity and no
 * messages.
 */
export async function serveBroker(context: Context, options: BrokerOptions): Promise<void> {
  const { paths, lifetime } = context
  makePrivateFolder(paths.broker)
  holdBrokerLock(context)
  const lastRun = readLastRun(paths)
  const keys = await brokerKeys(context, options.newAuthority)
  const previous = readBrokerDescriptor(paths)
  const bindAddress = await chooseBindAddress(context, options, previous && bindAddressOf(previous))
  const port = options.port ?? previous?.address.port ?? DEFAULT_PORT
  const ledger = await holdLedger(context)
  reportFiles(context, ledger, lastRun)
  const lastRunKeeper = new LastRunKeeper(context, ledger)
  lifetime.defer(() => lastRunKeeper.stop())
  await lastRunKeeper.begin(lastRun)
  const broker = await startEmbeddedBroker(context, keys, { bindAddress, port, ledger, options })
  lifetime.defer(broker.close)
  reportQueues(context, broker, ledger, lastRun)
  if (options.metrics !== undefined) await startMetrics(context, broker, options.metrics)
  const at = { bindAddress, port: broker.ports[0] ?? port, broker, ledger }
  const descriptor = await startEmbeddedRegistrar(context, keys, at)
  await lastRunKeeper.start(broker)
  printBroker(context, descriptor, broker)
  await context.out.lost
}

function bindAddressOf({ listen, address }: BrokerDescriptor): BindAddress | undefined {
  return listen === undefined ? undefined : { listen, host: address.host }
}

/** Clients pin the authority, so the server's certificate may change at each start and while it runs. */
async function startEmbeddedBroker(
  context: Context,
  { authority }: BrokerKeys,
  setup: {
    readonly bindAddress: BindAddress
    readonly port: number
    readonly ledger: Ledger
    readonly options: BrokerOptions
  },
): Promise<Broker> {
  const [
    { makeServerCertificate },
    { startBroker },
    { GUEST_LIMITS },
    { limitsFor },
    { limitYoungGeneration },
  ] = await Promise.all([
    import("../../broker/certificates.ts"),
    import("../../broker/broker.ts"),
    import("../../broker/limits/guest-limiter.ts"),
    import("../../broker/limits/limits.ts"),
    import("../../broker/heap-flags.ts"),
  ])
  limitYoungGeneration()
  const { caCertificate } = authority
  const { bindAddress, options } = setup
  const makeCertificate = (): Promise<ServerCertificate> =>
    makeServerCertificate(authority, hostsOf(bindAddress))
  const broker = await startBroker({
    listen: listenersOf(setup),
    ...(await makeCertificate()),
    ca: caCertificate,
    clientCa: caCertificate,
    journalPath: join(context.paths.broker, JOURNAL_FILE),
    registrarId: REGISTRAR_ID,
    guestLimits: GUEST_LIMITS,
    limits: limitsFor(options.perAddress),
    onTrouble: troubleReporter(context),
    debug: context.debug,
    mayConnect: mayConnect(setup.ledger),
    memberOf: memberOf(setup.ledger),
    onFiltersFull: filtersReporter(context, setup.ledger),
    ...(options.watch === true ? { observe: watcher(context) } : {}),
  })
  await keepCertificateValid(context, broker, makeCertificate)
  return broker
}

function listenersOf({
  bindAddress,
  port,
  options: { wss },
}: {
  bindAddress: BindAddress
  port: number
  options: BrokerOptions
}): ListenAddress[] {
  const host = bindAddress.listen
  const webSocket = wss === undefined ? [] : [{ host, port: wss === true ? WSS_PORT : wss, webSocket: true }]
  return [{ host, port }, ...webSocket]
}

/** A full disk refuses every message: one warning a minute is enough. */
function troubleReporter({ out }: Context): (fault: Fault) => void {
  let warnedAt = -Infinity
  return ({ message }) => {
    if (performance.now() - warnedAt < TROUBLE_EVERY_MS) return
    warnedAt = performance.now()
    out.warn(safe`${display(message)}: nothing is acknowledged, so senders keep their messages`)
  }
}

/** The device hears it by SUBACK; only the operator can do something about it. */
function filtersReporter({ out }: Context, { state }: Ledger): (device: string, filtersMax: number) => void {
  return (id, filtersMax) => {
    const user = state.devices.get(id)?.user
    const name = (user === undefined ? undefined : state.users.get(user)?.name) ?? "a device"
    out.warn(
      safe`${display(name)} has ${filtersMax} subscriptions, the most that this broker keeps: further contacts cannot reach it`,
    )
  }
}

/** A broker may run for years. */
async function keepCertificateValid(
  { out, lifetime }: Context,
  broker: Broker,
  makeCertificate: () => Promise<ServerCertificate>,
): Promise<void> {
  const { renewIfDue } = await import("../../broker/renewal.ts")
  const renew = async (): Promise<void> => {
    try {
      if (await renewIfDue(broker, makeCertificate, Date.now()))
        out.info(safe`renewed the server's certificate`)
    } catch (cause) {
      out.warn(safe`the server's certificate was not renewed: ${display(String(cause))}`)
    }
  }
  const timer = setInterval(() => void renew(), CERTIFICATE_CHECK_MS)
  lifetime.defer(() => clearInterval(timer))
}

async function startMetrics({ out, lifetime }: Context, broker: Broker, port: number | true): Promise<void> {
  const { serveMetrics } = await import("../../broker/metrics.ts")
  const metrics = await serveMetrics(port === true ? METRICS_PORT : port, broker.stats)
  lifetime.defer(metrics.close)
  out.info(safe`metrics at http://127.0.0.1:${metrics.port}/metrics`)
}

export function hostsOf({ host }: BindAddress): string[] {
  const label = hostLabel()
  const named = label === undefined ? [] : [label, `${label}.local`]
  return [...new Set([host, LOOPBACK, "::1", "localhost", ...named])]
}

/** Prints what a broker sees of each message. */
function watcher({ out }: Context): (topic: string, payload: Uint8Array, from: string) => void {
  return (topic, payload, from) => {
    const base64 = Buffer.from(payload).toString("base64")
    if (out.json) out.record("mqttchat/seen/1", { topic, from, bytes: payload.length, base64 })
    else out.data(safe`${display(topic)}  ${payload.length} bytes from ${display(from)}`)
  }
}

/** Starts the registrar over the broker itself, writes the operator's invitation and answers the operator. */
async function startEmbeddedRegistrar(
  context: Context,
  keys: BrokerKeys,
  at: {
    readonly bindAddress: BindAddress
    readonly port: number
    readonly broker: Broker
    readonly ledger: Ledger
  },
): Promise<BrokerDescriptor> {
  const { pinOf } = await import("../../broker/certificates.ts")
  const { host, listen } = at.bindAddress
  const pin = pinOf(keys.authority.caCertificate)
  const registrar = await startRegistrar(context, keys, at.ledger, {
    address: { host: ANY_ADDRESS.includes(listen) ? LOOPBACK : listen, port: at.port },
    trust: { kind: "pin", pin },
    brokerControl: () => embeddedBrokerControl(context, at.broker.disconnect),
  })
  const announced = announcedAddress(at.bindAddress, at.port)
  const descriptor = {
    address: { host, port: at.port },
    ...(announced === undefined ? {} : { others: [announced] }),
    listen,
    pin,
    registrar: registrar.publicKey,
  }
  await serveOperator(context, registrar, descriptor, reporter(at.broker, keys.authority.caCertificate))
  return descriptor
}

function printBroker(context: Context, descriptor: BrokerDescriptor, broker: Broker): void {
  const { address, others: [announced] = [], listen, pin } = descriptor
  const { out } = context
  const [, wssPort] = broker.ports
  const where = formatAddress(address)
  if (out.json) {
    out.report.record("mqttchat/broker/1", { ...address, pin: toHex(pin), wssPort: wssPort ?? null })
    return
  }
  out.done(safe`broker running   mqtts://${display(where)}   TLS 1.3`)
  out.info(safe`its pin          ${groupDigits(toHex(pin).toUpperCase())}`)
  if (announced !== undefined)
    out.info(
      safe`also named       ${display(formatAddress(announced))}, for the day on which its address changes`,
    )
  if (wssPort !== undefined)
    out.info(safe`over WebSocket   wss://${display(formatAddress({ ...address, port: wssPort }))}/mqtt`)
  const advice = listen === undefined ? undefined : firewallHint(listen, address.port)
  if (advice !== undefined) out.info(display(advice))
  if (!hasProfile(context)) out.next(safe`next, in another terminal: mqttchat init --broker here`)
  out.next(safe`to add a person, in another terminal: mqttchat pair`)
  out.info(safe`it shows what to type on the other laptop: ${shellCommand`mqttchat pair ${`CODE@${where}`}`}`)
  out.info(safe`Ctrl+C stops the broker; messages under way are kept`)
}
