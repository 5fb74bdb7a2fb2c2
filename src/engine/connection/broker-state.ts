import type { PublicKey } from "../../crypto/bytes.ts"
import type { Fault } from "../../errors.ts"
import type { PendingCredential, StoredCredential } from "../../keystore/credential.ts"
import { DAY_MS } from "../../time-units.ts"
import type { ConnectionState } from "../../transport/transport.ts"
import type { BrokerConfig, DeviceCredential, NewCredential } from "../state/ports.ts"

/** A certificate is valid for months: a process that keeps running checks it once a day. */
export const RECHECK_MS = DAY_MS
/** A registrar answers within some 20 ms, and the user is waiting for the reason. */
export const EXPLAIN_MS = 3_000

/** What a connection can be opened with. */
export type UsableCredential = Exclude<StoredCredential, PendingCredential>

/** The broker and the credential that a connection was opened with. */
type Opened = { readonly broker: BrokerConfig; readonly credential: UsableCredential }

/** The profile's own connection is open. The transport reconnects by itself until it has stopped. */
export type Connected =
  | ({ readonly kind: "connecting" | "online" | "offline" } & Opened)
  /** The broker does not accept our certificate, and the registrar is being asked why. */
  | ({ readonly kind: "explaining"; readonly why: Fault } & Opened)
  /** Refused. It is tried again, ever more slowly, unless another device has replaced this one [D-170]. */
  | ({ readonly kind: "stopped"; readonly why: Fault } & Opened)

/** The state of the profile's own connection to its broker. One piece of work is under way at a time. */
export type BrokerState =
  /** There is no broker yet, or no credential for it. */
  | { readonly kind: "no-broker" }
  /** The broker is known. The registrar is being asked for a certificate, over a guest's connection. */
  | { readonly kind: "obtaining"; readonly broker: BrokerConfig; readonly request: RegistrarRequest }
  /** The registrar did not answer, or something else did in its place. It is asked again later. */
  | { readonly kind: "waiting" }
  /** The registrar itself has refused, or there is none to ask: only another invitation helps. */
  | { readonly kind: "denied" }
  | Connected
  /** The broker has changed. The request under way is being ended first; `previous` is the connection, if there is one. */
  | Interrupting
  /** The connection's certificate or broker is out of date. It is being closed, and another one follows. */
  | { readonly kind: "reconnecting" }
  | Joining
  | { readonly kind: "closed" }

export type Interrupting = { readonly kind: "interrupting"; readonly previous: Connected | undefined }

/** A broker that the user has just named, with a credential for it. */
export type Join = { readonly broker: BrokerConfig; readonly credential: NewCredential }

export type Joining = {
  readonly kind: "joining"
  readonly join: Join
  /** The joins after this one, in order. */
  readonly later: readonly Join[]
  /** The connection so far, kept until the new one replaces it. */
  readonly previous: Connected | undefined
  readonly step: JoinStep
}

export type JoinStep =
  /** The work before it ends first. */
  | { readonly kind: "ending" }
  /** The connection of the join before it is new: wait for its first event. */
  | { readonly kind: "queued" }
  /** Broker and credential are being saved: a first join continues after a crash. */
  | { readonly kind: "saving" }
  /** The registrar is being asked, for a first join. */
  | { readonly kind: "enrolling" }
  /** The registrar is being asked, for a join after the first: the certificate at hand is kept for now. */
  | { readonly kind: "rejoining" }
  /** The new certificate is there, and the new broker is being saved. */
  | { readonly kind: "moving"; readonly fresh: DeviceCredential }
  /** The previous connection is being closed. */
  | { readonly kind: "leaving"; readonly fresh: DeviceCredential }

/** What a registrar can be asked for over a guest's connection. */
export type RegistrarRequest =
  | { readonly kind: "enroll"; readonly invitation: Uint8Array }
  | { readonly kind: "restore"; readonly registrar: PublicKey }
  | { readonly kind: "renew"; readonly registrar: PublicKey; readonly credential: DeviceCredential }

export type BrokerEvent =
  | { readonly kind: "start" }
  | { readonly kind: "join"; readonly join: Join }
  /** Its command waits no longer. */
  | { readonly kind: "join-expired"; readonly join: Join }
  /** What is on disk about the broker has changed: its address, or all of it. */
  | { readonly kind: "broker-changed" }
  /** The state of the profile's own connection. */
  | { readonly kind: "connection"; readonly connection: ConnectionState }
  /** The guest's connection of the request under way is not up yet. */
  | { readonly kind: "guest-offline"; readonly why: Fault }
  /** The registrar's certificate is on disk. */
  | { readonly kind: "obtained"; readonly credential: DeviceCredential }
  | { readonly kind: "saved" }
  | { readonly kind: "connection-closed" }
  /** Why the work under way failed. */
  | { readonly kind: "failed"; readonly why: Fault }
  /** The registrar has refused. Its answer is sealed, so a stranger cannot have given it. */
  | { readonly kind: "refused"; readonly why: Fault }
  /** A command needs the broker. */
  | { readonly kind: "asked" }
  /** The time of the last `wake` is over. */
  | { readonly kind: "wake" }
  | { readonly kind: "close" }

export type BrokerEffect =
  /** What the profile's users see of the connection. */
  | { readonly kind: "report"; readonly connection: ConnectionState }
  | ({ readonly kind: "open" } & Opened)
  /** Then report "connection-closed". */
  | { readonly kind: "close-connection" }
  /** Ask as a guest and save the certificate, then report "obtained" or "failed". */
  | { readonly kind: "ask"; readonly broker: BrokerConfig; readonly request: RegistrarRequest }
  /** The request under way ends at once, and reports its outcome as usual. */
  | { readonly kind: "interrupt" }
  /** Save these, then report "saved" or "failed". */
  | { readonly kind: "save"; readonly broker: BrokerConfig; readonly credential?: NewCredential }
  /** Renew the certificate over the profile's own connection; at most one such request at a time. */
  | { readonly kind: "renew"; readonly registrar: PublicKey; readonly credential: DeviceCredential }
  /** Report "wake" after this time, unless the state's kind changes before. */
  | { readonly kind: "wake"; readonly afterMs: number }
  /** Report "wake" after a pause, unless the state's kind changes before. Pauses grow until the connection is up. */
  | { readonly kind: "retry" }
  /** A try to connect begins, or is under way: what was reported before it is out of date. */
  | { readonly kind: "trying" }
  /** The connection, or the guest's connection of the request under way, ends the pause before its next try. */
  | { readonly kind: "try-now" }
  /** The oldest join that has no outcome yet is done. */
  | { readonly kind: "joined" }
  | { readonly kind: "join-failed"; readonly why: Fault }
  /** This join waited for its turn, and does not begin any more. */
  | { readonly kind: "join-dropped"; readonly join: Join }
  /** End the request, the renewal and the connection. */
  | { readonly kind: "end" }

/** Unix ms. */
export type Validity = { readonly begin: number; readonly renewFrom: number; readonly end: number }

/** What the profile has on disk, and what time it is. */
export type BrokerInput = {
  readonly broker: BrokerConfig | undefined
  readonly credential: StoredCredential | undefined
  /** Unix ms. */
  readonly now: number
  /** Undefined if it is not a certificate. */
  readonly validityOf: (certificate: string) => Validity | undefined
}

export type BrokerStep = { readonly next: BrokerState; readonly effects: readonly BrokerEffect[] }

type Kind = BrokerState["kind"]

/** The transitions of each state. `closed` can follow on any of them, and nothing follows on `closed`. */
export const BROKER_TRANSITIONS: Readonly<Record<Exclude<Kind, "closed">, Readonly<Record<string, Kind>>>> = {
  "no-broker": {
    "it starts without a certificate": "obtaining",
    "it starts with a credential": "connecting",
    "it starts without a registrar": "denied",
    "the broker is set": "connecting",
    "the user joins": "joining",
  },
  obtaining: {
    "the certificate is there": "connecting",
    "the registrar does not answer": "waiting",
    "the registrar refuses": "denied",
    "the broker changes": "interrupting",
    "the user joins": "joining",
  },
  waiting: {
    "some time is over, or a command asks": "obtaining",
    "the clock was set right, and the certificate is valid": "connecting",
    "the broker changes": "obtaining",
    "the user joins": "joining",
  },
  denied: {
    "the broker changes": "obtaining",
    "the broker changes, and the certificate is valid again": "connecting",
    "the user joins": "joining",
    "another user's invitation is refused": "obtaining",
  },
  interrupting: {
    "a request for a certificate has ended with one": "connecting",
    "a request for a certificate has ended": "obtaining",
    "a question about a refusal has ended": "reconnecting",
    "the user joins": "joining",
  },
  connecting: {
    "the broker accepts it": "online",
    "the broker does not answer": "offline",
    "the certificate is refused": "explaining",
    "it is refused": "stopped",
    "the certificate or the broker is out of date": "reconnecting",
    "the user joins": "joining",
  },
  online: {
    "it breaks": "offline",
    "the certificate is refused": "explaining",
    "it is refused": "stopped",
    "the broker changes": "reconnecting",
    "it breaks and the certificate is out of date": "reconnecting",
    "the user joins": "joining",
  },
  offline: {
    "it is back": "online",
    "the certificate is refused": "explaining",
    "it is refused": "stopped",
    "the certificate or the broker is out of date": "reconnecting",
    "the user joins": "joining",
  },
  explaining: {
    "the registrar answers, or 3 seconds are over": "stopped",
    "the broker changes": "interrupting",
    "the user joins": "joining",
    "its certificate was why, and has been replaced": "reconnecting",
  },
  stopped: {
    "some time is over, a command asks or the broker changes": "reconnecting",
    "the user joins": "joining",
  },
  reconnecting: {
    "another certificate is there": "connecting",
    "the certificate has expired": "obtaining",
    "the user joins": "joining",
  },
  joining: {
    "it has joined": "connecting",
    "it failed and nothing is saved": "no-broker",
    "it failed without a certificate": "obtaining",
    "it failed without a registrar": "denied",
    "it failed while online": "online",
    "it failed while offline": "offline",
    "it failed with a refused certificate": "explaining",
    "it failed after a refusal": "stopped",
    "it failed with a certificate out of date": "reconnecting",
  },
}
