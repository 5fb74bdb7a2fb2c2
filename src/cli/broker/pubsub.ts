import type { MqttClient, Packet } from "mqtt"
import { codeOf, Fault } from "../../errors.ts"
import { REFUSED_FROM } from "../../transport/failures.ts"
import { display, displayName, readText, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { readStdin } from "../terminal/input.ts"
import { answered, connectPlain, faultOf, type PlainOptions, usesTls } from "./plain-client.ts"
import { publishTopic, topicFilter } from "./topics.ts"

/** Far more than a terminal is good for, far less than MQTT allows (256 MiB). */
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
const RECONNECT_MS = 2_000
const NO_SUBSCRIBERS = 16

type Publication = { readonly topic: string; readonly message: string | undefined; readonly retain: boolean }

/** Publishes one message like any MQTT client does, and prints the broker's answer. */
export async function publishPlain(
  context: Context,
  { topic: typed, message, retain }: Publication,
  options: PlainOptions,
): Promise<void> {
  const topic = publishTopic(typed)
  warnPlain(context, options)
  const fromStdin = message === undefined || message === "-"
  const payload = fromStdin ? await readStdin(PAYLOAD_BYTES_MAX) : Buffer.from(message)
  const client = await connectPlain(context, options, 0)
  const answer = await publish(client, { topic, payload: Buffer.from(payload), retain }, options)
  const { qos } = options
  if (context.out.json) {
    context.out.report.record("mqttchat/published/1", {
      topic,
      bytes: payload.length,
      qos,
      retain,
      status: 0,
      ...answer,
    })
  } else {
    context.out.report.data(safe`sent ${payload.length} bytes to ${display(topic)}: status 0, ${answer.text}`)
  }
}

/** Prints each message of a topic filter until the command ends. */
export async function subscribePlain(context: Context, typed: string, options: PlainOptions): Promise<void> {
  const topic = topicFilter(typed)
  warnPlain(context, options)
  const client = await connectPlain(context, options, RECONNECT_MS)
  client.on("message", (name, payload, packet) => showPlain(context, { name, payload, packet }))
  client.on("offline", () => context.out.warn(safe`connection lost, trying again`))
  const subscription = client.subscribeAsync(topic, { qos: options.qos })
  const granted = await answered(client, "subscription", subscription).catch((cause: unknown) => {
    throw faultOf(cause, options)
  })
  if (granted.some(({ qos }) => qos >= REFUSED_FROM)) {
    throw new Fault("refused", `the broker does not allow a subscription to ${topic}`, "mqttchat sub --help")
  }
  context.out.info(safe`subscribed to ${display(topic)}, Ctrl+C ends`)
  await context.out.lost
}

type Answer = { readonly reason: number | null; readonly text: SafeText }

async function publish(
  client: MqttClient,
  { topic, payload, retain }: { topic: string; payload: Buffer; retain: boolean },
  options: PlainOptions,
): Promise<Answer> {
  try {
    const { qos } = options
    let reason: number | null = null
    // what publish resolves with is our own packet, not the broker's answer
    client.on("packetreceive", (packet) => (reason ??= reasonOf(packet)))
    await answered(client, "publication", client.publishAsync(topic, payload, { qos, retain }))
    return answerOf(reason, qos)
  } catch (cause) {
    const reason = codeOf(cause)
    if (typeof reason !== "number") throw unacknowledged(faultOf(cause, options))
    throw new Fault(
      "refused",
      `the broker refused the message: status 1, reason ${reason}`,
      "mqttchat pub --help",
    )
  }
}

/** A broker that cuts the connection often does so because it does not allow the topic. */
function unacknowledged({ code, message, hint }: Fault): Fault {
  const why = `${message} before it acknowledged: it is not known whether the message was published`
  return new Fault(code, why, hint ?? "check whether this account may publish to this topic")
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
