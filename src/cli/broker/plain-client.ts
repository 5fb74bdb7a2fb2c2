import { randomBytes } from "node:crypto"
import { connect, type IClientOptions, type MqttClient } from "mqtt"
import { Fault } from "../../errors.ts"
import { failureOf, NO_ANSWER } from "../../transport/failures.ts"
import type { BrokerAddress } from "../../transport/transport.ts"
import type { Context } from "../terminal/context.ts"
import { passwordFrom, readSmallFile } from "../terminal/input.ts"
import { speaksPlainMqtt, speaksTls } from "./port-probe.ts"
import { requireMqttString } from "./topics.ts"

/** Certificates and keys. */
const SMALL_FILE_BYTES_MAX = 65_536
/** For the connection, and for each answer. */
const ANSWER_MS = 10_000
/** How long the last packets may take on their way out. */
const END_MS = 1_000
const PORT = { tcp: 1883, tls: 8883 } as const
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

/** A connection of a plain MQTT client. Faults of the transport; one that names TLS if that is the cause. */
export async function connectPlain(
  context: Context,
  options: PlainOptions,
  reconnectPeriod: number,
): Promise<MqttClient> {
  const client = connect(clientSettings(options, reconnectPeriod))
  context.lifetime.defer(() => endClient(client))
  try {
    await answered(client, "connection", new Promise((resolve) => client.once("connect", resolve)))
  } catch (cause) {
    throw await causeOf(cause, options)
  }
  return client
}

/** The result, unless the connection fails, is cut, or brings no answer in time. */
export async function answered<T>(
  client: MqttClient,
  to: "connection" | "publication" | "subscription",
  result: Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  try {
    return await Promise.race([result, failed(client, to, ended.signal)])
  } catch (cause) {
    // It would wait for the answer at its end, too.
    client.end(true)
    throw cause
  } finally {
    ended.abort()
  }
}

/** Settles when the client fails or the time is over. The listener of errors stays: an error without one ends Node. */
function failed(client: MqttClient, to: string, ended: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const noAnswer = (): void =>
      reject(Object.assign(new Error(`no answer to the ${to}`), { code: NO_ANSWER }))
    const cut = (): void => reject(Object.assign(new Error(`cut before the ${to}`), { code: "ECONNRESET" }))
    const timeout = setTimeout(noAnswer, ANSWER_MS)
    client.on("error", reject)
    client.on("close", cut)
    ended.addEventListener("abort", () => {
      clearTimeout(timeout)
      client.off("close", cut)
    })
  })
}

/** The fault for what failed. */
export function faultOf(cause: unknown, options: PlainOptions): Fault {
  return failureOf(cause, addressOf(options)).fault
}

/** As `faultOf`, for a connection that did not open: the other side may speak TLS where we do not, or the reverse. */
async function causeOf(cause: unknown, options: PlainOptions): Promise<Fault> {
  const fault = faultOf(cause, options)
  if (fault.code === "refused") return fault
  const { host, port } = addressOf(options)
  const broker = `the broker at ${host}:${port}`
  if (!usesTls(options) && (await speaksTls({ host, port })))
    return new Fault(
      "unavailable",
      `${broker} speaks TLS on this port`,
      "add --tls, and --ca FILE for a private authority",
    )
  if (usesTls(options) && (await speaksPlainMqtt({ host, port })))
    return new Fault(
      "unavailable",
      `${broker} speaks MQTT without TLS on this port`,
      "leave out --tls, or check the port: 8883 is usual",
    )
  return fault
}

/** Takes the last packets along, if they can leave at once. */
async function endClient(client: MqttClient): Promise<void> {
  let timeout: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timeout = setTimeout(resolve, END_MS)))
  await Promise.race([client.endAsync(!client.connected), late])
  clearTimeout(timeout)
  client.stream.destroy()
}

function clientSettings(options: PlainOptions, reconnectPeriod: number): IClientOptions {
  const { clientId, mqttVersion } = options
  if (clientId !== undefined) requireMqttString("a client id", clientId)
  return {
    ...addressOf(options),
    ...tlsOf(options),
    ...userOf(options),
    protocol: usesTls(options) ? "mqtts" : "mqtt",
    protocolVersion: PROTOCOL[mqttVersion],
    ...(mqttVersion === "3.1" ? { protocolId: "MQIsdp" } : {}),
    clientId: clientId ?? `mqttchat-${randomBytes(4).toString("hex")}`,
    clean: true,
    // `answered` ends the wait for the first connection.
    connectTimeout: 2 * ANSWER_MS,
    reconnectPeriod,
    writeCache: false,
  }
}

export function usesTls({ tls, ca, cert, port }: PlainOptions): boolean {
  return tls === true || ca !== undefined || cert !== undefined || port === PORT.tls
}

function addressOf(options: PlainOptions): BrokerAddress {
  return { host: options.host, port: options.port ?? (usesTls(options) ? PORT.tls : PORT.tcp) }
}

function userOf({ username, passwordFile }: PlainOptions): IClientOptions {
  if (passwordFile !== undefined && username === undefined) {
    throw new Fault("usage", "a password needs a user name", "give --username NAME")
  }
  if (username !== undefined) requireMqttString("a user name", username)
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
