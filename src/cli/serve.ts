import { hostname } from "node:os"
import { join } from "node:path"
import type { Broker } from "../broker/broker.ts"
import { toHex } from "../crypto/bytes.ts"
import type { Ledger } from "../registrar/ledger.ts"
import { makePrivateFolder } from "../private-folder.ts"
import { DEFAULT_PORT, formatAddress } from "../wire/address.ts"
import { display, safe } from "../wire/text.ts"
import { type BrokerKeys, brokerKeys } from "./broker-keys.ts"
import { type Notice, readNotice } from "./broker-notice.ts"
import { holdLedger } from "./broker-ledger.ts"
import type { Context } from "./context.ts"
import { hasProfile } from "./init.ts"
import { ANY, choosePlace, type ListenWish, LOOPBACK, type Place } from "./listen.ts"
import { embeddedBouncer, holdBrokerLock, mayEnter, openToOperator, startRegistrar } from "./registrar.ts"
import { grouped } from "./rows.ts"

/** A name that a certificate can hold; a laptop may be called anything. */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

export type BrokerOptions = ListenWish & {
  readonly port?: number
  readonly watch?: boolean
  readonly newAuthority?: boolean
}

/** Runs broker and registrar of this laptop until the command is ended. It opens no identity and no messages. */
export async function serveBroker(context: Context, options: BrokerOptions): Promise<never> {
  const { paths, lifetime } = context
  makePrivateFolder(paths.broker)
  holdBrokerLock(context)
  const keys = await brokerKeys(context, options.newAuthority)
  const last = readNotice(paths)
  const place = await choosePlace(context, options, last && placeOf(last))
  const port = options.port ?? last?.address.port ?? DEFAULT_PORT
  const ledger = await holdLedger(context)
  const broker = await startHere(context, keys, { place, port, ledger, watch: options.watch === true })
  lifetime.defer(broker.close)
  const at = { place, port: broker.ports[0] ?? port, broker, ledger }
  const notice = await admit(context, keys, at)
  tell(context, notice)
  return await new Promise<never>(() => undefined)
}

function placeOf({ listen, address }: Notice): Place | undefined {
  return listen === undefined ? undefined : { listen, host: address.host }
}

/** The server's own certificate lives as long as this process: people pin the authority, so a new one breaks nothing. */
async function startHere(
  context: Context,
  { authority }: BrokerKeys,
  wish: { readonly place: Place; readonly port: number; readonly ledger: Ledger; readonly watch: boolean },
): Promise<Broker> {
  const [{ makeServerCertificate }, { startBroker }, { GUEST_RATE }, { limitsFor }, { REGISTRAR_ID }] =
    await Promise.all([
      import("../broker/certificates.ts"),
      import("../broker/broker.ts"),
      import("../broker/gate.ts"),
      import("../broker/limits.ts"),
      import("../registrar/registrar.ts"),
    ])
  const { caCertificate } = authority
  return startBroker({
    listen: [{ host: wish.place.listen, port: wish.port }],
    ...(await makeServerCertificate(authority, hostsOf(wish.place))),
    ca: caCertificate,
    clientCa: caCertificate,
    journalPath: join(context.paths.broker, "queues.journal"),
    registrarId: REGISTRAR_ID,
    guestRate: GUEST_RATE,
    limits: limitsFor(),
    onTrouble: (fault) => context.out.warn(safe`${display(fault.message)}: its sender keeps the message`),
    mayEnter: mayEnter(wish.ledger),
    ...(wish.watch ? { observe: watcher(context) } : {}),
  })
}

export function hostsOf({ host }: Place): string[] {
  const name = hostname()
  const named = HOST_NAME.test(name) ? [name, `${name}.local`] : []
  return [...new Set([host, LOOPBACK, "::1", "localhost", ...named])]
}

/** What a broker sees of each message, for whoever wants to look. */
function watcher({ out }: Context): (topic: string, payload: Uint8Array, from: string) => void {
  return (topic, payload, from) => {
    const base64 = Buffer.from(payload).toString("base64")
    if (out.json) out.record("mqttchat/seen/1", { topic, from, bytes: payload.length, base64 })
    else out.data(safe`${display(topic)}  ${payload.length} bytes from ${display(from)}`)
  }
}

/** Starts the registrar over the broker itself, lays the operator's invitation out and answers the operator. */
async function admit(
  context: Context,
  keys: BrokerKeys,
  at: { readonly place: Place; readonly port: number; readonly broker: Broker; readonly ledger: Ledger },
): Promise<Notice> {
  const { pinOf } = await import("../broker/certificates.ts")
  const { host, listen } = at.place
  const pin = pinOf(keys.authority.caCertificate)
  const registrar = await startRegistrar(context, keys, at.ledger, {
    address: { host: ANY.includes(listen) ? LOOPBACK : listen, port: at.port },
    trust: { kind: "pin", pin },
    bouncer: () => embeddedBouncer(context, at.broker.expel),
  })
  const notice = { address: { host, port: at.port }, listen, pin, registrar: registrar.publicKey }
  await openToOperator(context, registrar, notice)
  return notice
}

function tell(context: Context, { address, pin }: Notice): void {
  const { out } = context
  const where = formatAddress(address)
  if (out.json) {
    out.record("mqttchat/broker/1", { ...address, pin: toHex(pin) })
    return
  }
  out.done(safe`broker running   mqtts://${display(where)}   TLS 1.3`)
  out.say(safe`its pin          ${grouped(toHex(pin).toUpperCase())}`)
  if (!hasProfile(context)) out.next(safe`next, in another terminal: mqttchat init --broker here`)
  out.next(safe`to add a person, in another terminal: mqttchat pair`)
  out.say(safe`it shows what to type on the other laptop: mqttchat pair CODE@${display(where)}`)
  out.say(safe`Ctrl+C stops the broker; messages under way are kept`)
}
