import type { Random } from "../../crypto/bytes.ts"
import { toBase64url } from "../../crypto/bytes.ts"
import { DAY_S } from "../../time-units.ts"
import type { Connack } from "../../transport/mqtt-client.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { bad, END_IT, good, HELD, unknown, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import type { ConnectResult, ProbeConnector, Frame, ProbeConnection } from "../probe/probe-connection.ts"

/** Payload 65,536 bytes, topic and headers on top. */
const PACKET_BYTES_NEEDED = 66_560
const PAYLOAD_BYTES_MAX = 65_536

export const LOGIN: Check = {
  name: "login",
  what: "whether the broker lets this profile in",
  why: "without that nothing is sent and nothing comes",
}
export const MQTT: Check = {
  name: "mqtt",
  what: "the MQTT level and the limits that the broker announces",
  why: "messages are up to 65,536 bytes, at quality of service 1, and wait for devices that are offline",
}
export const ROUND_TRIP: Check = {
  name: "round-trip",
  what: "a message to our own inbox and back, at quality of service 1",
  why: "a broker may let us in and still deliver nothing",
}
export const LARGEST: Check = {
  name: "largest",
  what: "the largest message to our own inbox and back",
  why: "a broker with a lower limit cuts the connection at the first long text",
}
export const OFFLINE: Check = {
  name: "offline",
  what: "whether what waits for us survives a reconnect",
  why: "who is away gets the messages later, instead of when the sender next comes by",
}

/** What one visit as the profile itself showed. */
export type LoginProbe =
  | { readonly kind: "out"; readonly attempt: Extract<ConnectResult, { kind: "down" }> }
  | {
      readonly kind: "in"
      readonly mqttVersion: number
      readonly connack: Connack | undefined
      readonly returned: boolean
      readonly largest: boolean
      /** A message that we did not acknowledge came again on the next connection. */
      readonly again: boolean
      /** Frames that wait for the profile, and were left to it. */
      readonly others: number
    }

/**
 * Connects as the profile itself, in its own session, and sends to itself on a mailbox that no one else knows.
 * Other messages are not acknowledged, so that the broker keeps them. No other process may be connected as this device.
 */
export async function probeLogin(
  connector: ProbeConnector,
  deviceId: string,
  random: Random,
): Promise<LoginProbe> {
  const topic = `mc/1/i/${deviceId}/${toBase64url(random(ID_BYTES))}`
  let acknowledged = true
  const acknowledges = (frame: Frame): boolean => frame.topic === topic && acknowledged
  const options = { clientId: deviceId, session: "kept", acknowledges } as const
  const first = await connector.connect(options)
  if (first.kind === "down") return { kind: "out", attempt: first }
  const { connection } = first
  await connection.subscribe(topic)
  const returned = await returns(connection, { topic, payload: random(ID_BYTES) })
  const largest = returned && (await returns(connection, { topic, payload: random(PAYLOAD_BYTES_MAX) }))
  acknowledged = false
  const kept = { topic, payload: random(ID_BYTES) }
  const arrived = returned && !connection.hasEnded && (await returns(connection, kept))
  await connection.disconnect()
  acknowledged = true
  const again = await isRedelivered(await connector.connect(options), arrived ? kept : undefined, topic)
  const { connack, mqttVersion } = connection
  const others = connection.received.filter((frame) => frame.topic !== topic).length
  return { kind: "in", mqttVersion, connack, returned, largest, again, others }
}

async function returns(connection: ProbeConnection, frame: Frame): Promise<boolean> {
  if ((await connection.publish(frame)) !== "taken") return false
  return (await connection.waitFor(isSame(frame))) !== undefined
}

/** Leaves nothing of the probe in the session, whatever the result. */
async function isRedelivered(
  second: ConnectResult,
  kept: Frame | undefined,
  topic: string,
): Promise<boolean> {
  if (second.kind === "down") return false
  const { connection } = second
  const arrived = kept !== undefined && (await connection.waitFor(isSame(kept))) !== undefined
  await connection.unsubscribe(topic)
  await connection.disconnect()
  return arrived
}

/** `held`: another process is connected as this device, so that the doctor may not be. */
export type LoginResult =
  | LoginProbe
  | { readonly kind: "held"; readonly online: boolean }
  | { readonly kind: "none"; readonly why: string; readonly fix?: string }

const CONNECTED = "the process that holds the profile is connected as this device"

export function judgeLogin(result: LoginResult): Judgement {
  switch (result.kind) {
    case "none":
      return unknown(result.why, result.fix)
    case "held":
      return result.online ? good(CONNECTED) : unknown(HELD, END_IT)
    case "out": {
      const { code, message, hint = "ask the person who runs the broker" } = result.attempt.failure.fault
      return bad(code, message, hint)
    }
    case "in":
      return good(`yes, in MQTT ${result.mqttVersion === 5 ? "5" : "3.1.1"}`)
  }
}

export function judgeMqtt(result: LoginResult): Judgement {
  if (result.kind !== "in") return notSeen(result)
  if (result.mqttVersion !== 5) return good("MQTT 3.1.1, which announces no limits")
  const { maximumQoS = 2, maximumPacketSize, sessionExpiryInterval } = result.connack?.properties ?? {}
  if (maximumQoS < 1) return bad("protocol", "no quality of service 1", "choose another broker")
  if (maximumPacketSize !== undefined && maximumPacketSize < PACKET_BYTES_NEEDED) {
    const fix = `have it take packets of ${PACKET_BYTES_NEEDED} bytes (Mosquitto: max_packet_size)`
    return bad("protocol", `packets of at most ${maximumPacketSize} bytes`, fix)
  }
  if (sessionExpiryInterval !== undefined && sessionExpiryInterval < DAY_S) {
    return weak(`it forgets us after ${sessionExpiryInterval} seconds`, "have it keep sessions for 30 days")
  }
  return good(
    `MQTT 5, packets of ${maximumPacketSize === undefined ? "any size" : `${maximumPacketSize} bytes`}`,
  )
}

export function judgeRoundTrip(result: LoginResult): Judgement {
  if (result.kind !== "in") return notSeen(result)
  if (result.returned) return good("it came back")
  if (result.others > 0) return unknown(`${result.others} messages wait before it`, "mqttchat inbox")
  return bad(
    "refused",
    "it did not come back",
    "have the broker let us read mc/1/i/DEVICE/+ and write mc/1/i/+/+",
  )
}

export function judgeLargest(result: LoginResult): Judgement {
  if (result.kind !== "in") return notSeen(result)
  if (!result.returned) return unknown("not tried, since a small one did not come back")
  if (result.largest) return good(`${PAYLOAD_BYTES_MAX} bytes came back`)
  const fix = `have the broker take packets of ${PACKET_BYTES_NEEDED} bytes (Mosquitto: max_packet_size)`
  return bad("protocol", `${PAYLOAD_BYTES_MAX} bytes did not come back`, fix)
}

export function judgeOffline(result: LoginResult): Judgement {
  if (result.kind !== "in") return notSeen(result)
  if (!result.largest) return unknown("not tried, since another message did not come back")
  if (result.again) return good("what we had not acknowledged came again")
  const fix = "have the broker keep sessions (Mosquitto: persistence true); until then senders send again"
  return weak("what we had not acknowledged was gone", fix)
}

function notSeen(result: Exclude<LoginResult, { kind: "in" }>): Judgement {
  if (result.kind === "held") return unknown(HELD, END_IT)
  return unknown(result.kind === "none" ? result.why : "not looked at: the broker did not let us in")
}

function isSame({ payload }: Frame): (other: Frame) => boolean {
  return (other) => Buffer.from(other.payload).equals(payload)
}
