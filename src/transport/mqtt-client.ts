import type { Socket } from "node:net"

import type { IClientOptions, IConnackPacket } from "mqtt"
import mqttClient from "mqtt/lib/client"

import type { Credential, MqttVersion } from "./transport.ts"
import { DAY_S } from "../time-units.ts"

/** The client alone: the package's entry brings WebSocket and SOCKS along, which every start would have to read. */
const { default: ClientClass } = mqttClient

/** A connection without an answer for one and a half of this is dead, also if nothing is awaited. */
const KEEPALIVE_S = 18
/** A broker that takes longer to answer counts as silent. */
export const CONNACK_TIMEOUT_MS = 10_000
/** How long a broker of MQTT 5 keeps our queue: as long as a sender repeats a message. */
export const SESSION_EXPIRY_S = 30 * DAY_S

export type MqttClient = InstanceType<typeof ClientClass>
export type Connack = IConnackPacket

export type ClientSetup = {
  readonly socket: Socket
  readonly clientId: string
  readonly credential: Credential
  /** The broker forgets the session that it may have, and starts a new one. */
  readonly clean: boolean
  readonly mqttVersion: MqttVersion
  /** What MQTT 5 alone can say. */
  readonly properties: NonNullable<IClientOptions["properties"]>
  readonly will?: NonNullable<IClientOptions["will"]>
}

/** A client for one connection over a socket that is already proven. It never connects again by itself. */
export function openMqttClient(setup: ClientSetup): MqttClient {
  return new ClientClass(() => setup.socket, optionsOf(setup))
}

/** At QoS 1, all in one packet. `onAnswer` gets a code for each topic, or undefined if the connection ended before. */
export function subscribe(
  client: MqttClient,
  topics: readonly string[],
  onAnswer: (granted: readonly number[] | undefined) => void,
): void {
  client.subscribe([...topics], { qos: 1 }, (error, _asked, suback) => {
    const packet =
      suback ?? (error !== null && "packet" in error ? (error.packet as typeof suback) : undefined)
    onAnswer(packet?.granted.map(Number))
  })
}

function optionsOf({ clientId, clean, mqttVersion, ...setup }: ClientSetup): IClientOptions {
  return {
    clientId,
    clean,
    protocolVersion: mqttVersion,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNACK_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    // mqtt.js would otherwise fill a table of all 65,536 numbers at the first packet
    writeCache: false,
    ...(mqttVersion === 5 ? { properties: setup.properties } : {}),
    ...(setup.credential.kind === "account" ? accountOf(setup.credential) : {}),
    ...(setup.will === undefined ? {} : { will: setup.will }),
  }
}

function accountOf({ username, password }: { username?: string; password?: string }): IClientOptions {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
}
