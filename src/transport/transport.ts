import type { Fault } from "../errors.ts"

/** 5 is MQTT 5.0, 4 is MQTT 3.1.1: the protocol levels of their CONNECT packets. */
export type MqttVersion = 4 | 5

export type BrokerAddress = { readonly host: string; readonly port: number }

/** How the broker proves itself. */
export type Trust =
  /** One certificate of the server's chain has SHA-256(SPKI)[0:16] = pin (16 bytes) and is the only anchor. */
  | {
      readonly kind: "pin"
      readonly pin: Uint8Array
      /** PEM of the certificate that had this key last time. It spares a connection, and is nothing without the key. */
      readonly anchor?: string
    }
  /** A publicly trusted certificate, checked by name. */
  | { readonly kind: "name" }
  /** Not at all: MQTT without TLS, which the user asked for. Everything but the content of messages is open to the network. */
  | { readonly kind: "insecure" }
  /** Not yet: a newcomer's first connection, good for a PAKE and for nothing else. The chain is kept to check the pin against. */
  | { readonly kind: "unproven" }

/** How we prove ourselves to the broker. */
export type Credential =
  | { readonly kind: "guest" }
  /** PEM of the device certificate and its P-256 key; common name = user name = client id. */
  | { readonly kind: "device"; readonly deviceId: string; readonly certificate: string; readonly key: string }
  /** A foreign broker's account, or none; the device id (base64url of 16 bytes) is then our own choice. */
  | {
      readonly kind: "account"
      readonly deviceId: string
      readonly username?: string
      readonly password?: string
    }

export type TransportEvents = {
  /**
   * PUBACK follows when the promise resolves; if it rejects the connection is destroyed and the broker delivers again.
   * Frames come in order, up to sixteen before the first of them has resolved; then nothing else is read, so never wait
   * here for a publish or subscribe of this link.
   */
  readonly onFrame: (topic: string, payload: Uint8Array) => Promise<void>
  /** Called on every change. `stopped` is a refusal (wrong certificate, bad credentials): no retry of this connection follows. */
  readonly onState: (state: ConnectionState) => void
}

/** What is worth remembering of a broker: each costs one more connection every time it is not known. Nothing secret. */
export type BrokerHints = {
  readonly mqttVersion: MqttVersion
  /** The largest packet that it takes, in bytes; only a broker of MQTT 5 says so. */
  readonly maximumPacketSize?: number
  /** PEM of the certificate with the pinned key, where there is a pin. */
  readonly anchor?: string
}

export type ConnectionState =
  | ({ readonly kind: "online"; readonly sessionPresent: boolean } & BrokerHints)
  | { readonly kind: "offline"; readonly why: Fault }
  | { readonly kind: "stopped"; readonly why: Fault }

/** The postal service as the engine sees it. */
export type Transport = {
  /**
   * QoS 1, never retained. Resolves on PUBACK; rejects with a Fault `unavailable` if the link is down or ends before, in
   * which case its cause has a code: that of the broker's DISCONNECT, or `CUT_OFF`. Fault `refused` if the broker does not
   * take this message; its cause has the reason code of MQTT 5, if there is one.
   */
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>
  /** Resolves on SUBACK. Kept across reconnects; waits for the link if it is down. */
  readonly subscribe: (topic: string) => Promise<void>
  /** Resolves on UNSUBACK, or at once while the link is down: the next connection then begins with it. */
  readonly unsubscribe: (topic: string) => Promise<void>
  /** SHA-256(SPKI)[0:16] of each certificate the server showed on this connection. */
  readonly serverPins: () => readonly Uint8Array[]
  /** Ends the pause before the next try to connect, if there is one. */
  readonly retry: () => void
  /** Ends the link for good. Publishes under way are rejected. */
  readonly close: () => Promise<void>
}

/** Starts a link and returns at once; `onState` tells how it goes. Handed to the engine by the command line. */
export type Connect = (target: ConnectTarget, events: TransportEvents) => Transport

export type ConnectTarget = {
  readonly address: BrokerAddress
  /** Other nodes of the same broker, tried in turn. */
  readonly others?: readonly BrokerAddress[]
  readonly trust: Trust
  readonly credential: Credential
  /** Has the broker forget what it kept for this device, now and when the link ends; a guest's link always does. */
  readonly clean?: boolean
  /** What the broker spoke last time; otherwise 5 is tried first. */
  readonly mqttVersion?: MqttVersion
}

/** A connection that several share: each receives the topics it subscribed to. Enrolment needs no more than this. */
export type Publisher = {
  readonly publish: Transport["publish"]
  /**
   * Resolves on SUBACK; frames of exactly this topic then go to `onFrame` and are acknowledged when it returns. The
   * returned function ends both listening and subscription.
   */
  readonly listen: (topic: string, onFrame: (payload: Uint8Array) => void) => Promise<() => void>
}
