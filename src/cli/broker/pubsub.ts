import { randomBytes } from "node:crypto"
import { connectAsync, type IClientOptions, type MqttClient, type Packet } from "mqtt"
import { codeOf, Fault } from "../../errors.ts"
import { failureOf, REFUSED_FROM } from "../../transport/failures.ts"
import type { BrokerAddress } from "../../transport/transport.ts"
import { display, displayName, readText, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { passwordFrom, readSmallFile, readStdin } from "../terminal/input.ts"

/** Far more than a terminal is good for, far less than MQTT allows (256 MiB). */
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
/** Certificates and keys. */
const SMALL_FILE_BYTES_MAX = 65_536
const CONNECT_MS = 10_000
const RECONNECT_MS = 2_000
const PORT = { tcp: 1883, tls: 8883 } as const
const NO_SUBSCRIBERS = 16
const PROTOCOL = { "3.1": 3, "3.1.1": 4, "5": 5 } as const

export type PlainOptions = {
  readonly host: string
  readonly port?: number
  readonly username?: string
  readonly passwordFile?: string
  readonly clientId?: string
  readonly qos: 0 | 1 | 2
  readonly mqttVersion: keyof typeof PROTOCOL
  readonly tls?: boolean
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Publishes one message like any MQTT client does, and prints the broker's answer. */
export async function publishPlain(
  context: Context,
  publication: { topic: string; message: string | undefined },
  options: PlainOptions,
): Promise<void> {
  const { topic, message } = publication
  warnPlain(context, options)
  const fromStdin = message === undefined || message === "-"
  const payload = fromStdin ? await readStdin(PAYLOAD_BYTES_MAX) : Buffer.from(message)
  const client = await connectPlain(context, options, 0)
  const answer = await publish(client, { topic, payload: Buffer.from(payload) }, options)
  const { qos } = options
  if (context.out.json) {
    context.out.report.record("mqttchat/published/1", {
      topic,
      bytes: payload.length,
      qos,
      status: 0,
      ...answer,
    })
  } else {
    context.out.report.data(safe`sent ${payload.length} bytes to ${display(topic)}: status 0, ${answer.text}`)
  }
}

/** Prints each message of a topic filter until the command ends. */
export async function subscribePlain(context: Context, topic: string, options: PlainOptions): Promise<void> {
  warnPlain(context, options)
  const client = await connectPlain(context, options, RECONNECT_MS)
  client.on("message", (name, payload, packet) => showPlain(context, { name, payload, packet }))
  client.on("offline", () => context.out.warn(safe`connection lost, trying again`))
  const granted = await client.subscribeAsync(topic, { qos: options.qos }).catch((cause: unknown) => {
    throw failureOf(cause, addressOf(options)).fault
  })
  if (granted.some(({ qos }) => qos >= REFUSED_FROM)) {
    throw new Fault("refused", `the broker does not allow a subscription to ${topic}`, "mqttchat sub --help")
  }
  context.out.info(safe`subscribed to ${display(topic)}, Ctrl+C ends`)
  await context.out.lost
}

async function connectPlain(
  context: Context,
  options: PlainOptions,
  reconnectPeriod: number,
): Promise<MqttClient> {
  const settings: IClientOptions = {
    ...addressOf(options),
    ...tlsOf(options),
    ...userOf(options),
    protocol: usesTls(options) ? "mqtts" : "mqtt",
    protocolVersion: PROTOCOL[options.mqttVersion],
    ...(options.mqttVersion === "3.1" ? { protocolId: "MQIsdp" } : {}),
    clientId: options.clientId ?? `mqttchat-${randomBytes(4).toString("hex")}`,
    clean: true,
    connectTimeout: CONNECT_MS,
    reconnectPeriod,
    writeCache: false,
  }
  const client = await connectAsync(settings).catch((cause: unknown) => {
    throw failureOf(cause, addressOf(options)).fault
  })
  context.lifetime.defer(() => client.endAsync())
  return client
}

type Answer = { readonly reason: number | null; readonly text: SafeText }

async function publish(
  client: MqttClient,
  message: { topic: string; payload: Buffer },
  options: PlainOptions,
): Promise<Answer> {
  try {
    const { qos } = options
    let reason: number | null = null
    // what publish resolves with is our own packet, not the broker's answer
    client.on("packetreceive", (packet) => (reason ??= reasonOf(packet)))
    await client.publishAsync(message.topic, message.payload, { qos })
    return answerOf(reason, qos)
  } catch (cause) {
    const reason = codeOf(cause)
    if (typeof reason !== "number") throw failureOf(cause, addressOf(options)).fault
    throw new Fault(
      "refused",
      `the broker refused the message: status 1, reason ${reason}`,
      "mqttchat pub --help",
    )
  }
}

/** MQTT 5 gives a reason with its first answer to a publish; older versions have none. */
function reasonOf(packet: Packet): number | null {
  if (packet.cmd !== "puback" && packet.cmd !== "pubrec") return null
  return packet.reasonCode ?? null
}

/** At QoS 0 there is no answer. */
function answerOf(reason: number | null, qos: 0 | 1 | 2): Answer {
  if (qos === 0) return { reason: null, text: safe`not acknowledged (QoS 0)` }
  const noSubscribers = reason === NO_SUBSCRIBERS ? safe`, no subscribers` : safe``
  return { reason, text: safe`acknowledged (QoS ${qos})${noSubscribers}` }
}

type ReceivedMessage = {
  readonly name: string
  readonly payload: Buffer
  readonly packet: { qos: number; retain: boolean }
}

function showPlain({ out }: Context, { name, payload, packet }: ReceivedMessage): void {
  const text = readText(payload)
  if (out.json) {
    const { qos, retain } = packet
    const base64 = payload.toString("base64")
    out.record("mqttchat/heard/1", { topic: name, qos, retain, text: text ?? null, base64 })
    return
  }
  const shown = text === undefined ? safe`(${payload.length} bytes, not text)` : display(text)
  out.data(safe`${displayName(name)} ${shown}`)
}

function warnPlain({ out }: Context, options: PlainOptions): void {
  out.warn(safe`this is plain MQTT, not encrypted end to end: the broker and its operator can read it`)
  if (usesTls(options) || options.passwordFile === undefined) return
  out.warn(safe`without --tls the password is readable on the way, too`)
}

function usesTls({ tls, ca, cert, port }: PlainOptions): boolean {
  return tls === true || ca !== undefined || cert !== undefined || port === PORT.tls
}

function addressOf(options: PlainOptions): BrokerAddress {
  return { host: options.host, port: options.port ?? (usesTls(options) ? PORT.tls : PORT.tcp) }
}

function userOf({ username, passwordFile }: PlainOptions): IClientOptions {
  if (passwordFile !== undefined && username === undefined) {
    throw new Fault("usage", "a password needs a user name", "give --username NAME")
  }
  return {
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { password: passwordFrom(passwordFile) }),
  }
}

function tlsOf({ ca, cert, key }: PlainOptions): IClientOptions {
  const read = (path: string): Buffer => Buffer.from(readSmallFile(path, SMALL_FILE_BYTES_MAX))
  return {
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(cert === undefined ? {} : { cert: read(cert) }),
    ...(key === undefined ? {} : { key: read(key) }),
  }
}
