import type { Fault } from "../errors.ts"

export type BrokerAddress = { readonly host: string; readonly port: number }

/** How the broker proves itself. */
export type Trust =
  /** One certificate of the server's chain has SHA-256(SPKI)[0:16] = pin (16 bytes) and is the only anchor. */
  | { readonly kind: "pin"; readonly pin: Uint8Array }
  /** A publicly trusted certificate, checked by name. */
  | { readonly kind: "name" }
  /** Not yet: a newcomer's first connection, good for a PAKE and for nothing else. The chain is kept to check the pin against. */
  | { readonly kind: "unproven" }

/** How we prove ourselves to the broker. */
export type Credential =
  | { readonly kind: "guest" }
  /** PEM of the device certificate and its P-256 key; common name = user name = client id. */
  | { readonly kind: "device"; readonly deviceId: string; readonly certificate: string; readonly key: string }
  /** A foreign broker's account, or none; the device id (base64url of 16 bytes) is then our own choice. */
  | { readonly kind: "account"; readonly deviceId: string; readonly username?: string; readonly password?: string }

export type TransportEvents = {
  /** PUBACK follows when the promise resolves; if it rejects the connection is destroyed and the broker delivers again. */
  readonly onFrame: (topic: string, payload: Uint8Array) => Promise<void>
  /** Told on every change. `stopped` is permanent (wrong certificate, bad credentials): no retry follows. */
  readonly onState: (state: LinkState) => void
}

export type LinkState =
  | { readonly kind: "online"; readonly sessionPresent: boolean }
  | { readonly kind: "offline"; readonly why: Fault }
  | { readonly kind: "stopped"; readonly why: Fault }

/** The postal service as the engine sees it. */
export type Transport = {
  /** QoS 1, never retained. Resolves on PUBACK; rejects with a Fault `unavailable` if the link ends before. */
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>
  /** Resolves on SUBACK. Kept across reconnects; waits for the link if it is down. */
  readonly subscribe: (topic: string) => Promise<void>
  readonly unsubscribe: (topic: string) => Promise<void>
  /** SHA-256(SPKI)[0:16] of each certificate the server showed on this connection. */
  readonly serverPins: () => readonly Uint8Array[]
  /** Ends the link for good. Publishes under way are rejected. */
  readonly close: () => Promise<void>
}

/** Starts a link and returns at once; `onState` tells how it goes. Handed to the engine by the command line. */
export type Connect = (target: LinkTarget, events: TransportEvents) => Transport

export type LinkTarget = {
  readonly address: BrokerAddress
  readonly trust: Trust
  readonly credential: Credential
}
