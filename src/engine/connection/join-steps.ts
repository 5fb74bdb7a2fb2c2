import { equal, toBase64url, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import type { ConnectionState } from "../../transport/transport.ts"
import { isSameAddress } from "../../wire/address.ts"
import { decodeInvitation } from "../../wire/registration.ts"
import { guestAddressOf } from "./broker-addresses.ts"
import { leadsToOwn } from "./moved-broker.ts"
import type {
  BrokerEffect,
  BrokerInput,
  BrokerState,
  BrokerStep,
  Join,
  Joining,
  RegistrarRequest,
} from "./broker-state.ts"
import { afterSign, begin, isOver, open, report, resume, unchanged, type OpenStep } from "./connect-steps.ts"
import type { BrokerConfig, DeviceCredential } from "../state/ports.ts"

/** A command of the user has priority over the profile's own work: it ends the request under way. */
export function join(
  state: Exclude<BrokerState, { kind: "closed" }>,
  join: Join,
  input: BrokerInput,
): BrokerStep {
  const joining = { kind: "joining", join, later: [], previous: undefined } as const
  const ending = { kind: "ending" } as const
  switch (state.kind) {
    case "joining":
      return joinLater(state, join)
    case "obtaining":
      return { next: { ...joining, step: ending }, effects: [{ kind: "interrupt" }] }
    case "explaining":
      return { next: { ...joining, previous: state, step: ending }, effects: [{ kind: "interrupt" }] }
    case "interrupting":
      return unchanged({ ...joining, previous: state.previous, step: ending })
    case "reconnecting":
      return unchanged({ ...joining, step: ending })
    case "no-broker":
    case "waiting":
    case "denied":
      return beginJoin({ ...joining, step: ending }, input)
    case "connecting":
    case "online":
    case "offline":
    case "stopped":
      return beginJoin({ ...joining, previous: state, step: ending }, input)
  }
}

/** A request for something else may never end: its broker may not exist. The same one, typed twice, may finish. */
function joinLater(state: Joining, join: Join): BrokerStep {
  const next = { ...state, later: [...state.later, join] }
  const isAsking = state.step.kind === "enrolling" || state.step.kind === "rejoining"
  return isAsking && !isSameJoin(state.join, join)
    ? { next, effects: [{ kind: "interrupt" }] }
    : unchanged(next)
}

/** A question to a registrar that cannot be reached ends; what is on its way to the disk does not. */
export function expireJoin(state: Joining, expired: Join): BrokerStep {
  if (state.later.includes(expired)) {
    const next = { ...state, later: state.later.filter((join) => join !== expired) }
    return { next, effects: [{ kind: "join-dropped", join: expired }] }
  }
  const isAsking = state.step.kind === "enrolling" || state.step.kind === "rejoining"
  return state.join === expired && isAsking
    ? { next: state, effects: [{ kind: "interrupt" }] }
    : unchanged(state)
}

function isSameJoin(a: Join, b: Join): boolean {
  if (a.credential.kind !== "invitation" || b.credential.kind !== "invitation") return false
  const isSameBroker = isSameAddress(guestAddressOf(a.broker), guestAddressOf(b.broker))
  return isSameBroker && equal(a.credential.bytes, b.credential.bytes)
}

/**
 * The first join, or the same user with a new invitation: the broker has another address, or a new authority whose pin
 * the user has set before. After any other join, contacts would still send to the old broker.
 */
function beginJoin(state: Joining, input: BrokerInput): BrokerStep {
  const { broker, credential } = state.join
  if (changesTransport(input.broker, broker)) return failJoin(state, otherTransport(), input)
  if (state.previous === undefined && input.credential?.kind !== "device")
    return { next: { ...state, step: { kind: "saving" } }, effects: [{ kind: "save", broker, credential }] }
  if (credential.kind === "invitation" && isOwnInvitation(credential.bytes, input.credential)) {
    return input.broker === undefined || leadsToOwn(input.broker, broker)
      ? askToJoin(state, "rejoining", credential.bytes)
      : failJoin(state, otherKey(input.broker, broker), input)
  }
  const why = new Fault("config", "this profile has a broker already", "mqttchat --profile OTHER pair")
  return failJoin(state, why, input)
}

/** Also a profile that has not been let in yet stays with TLS or without, as its user chose. */
function changesTransport(known: BrokerConfig | undefined, next: BrokerConfig): boolean {
  return known !== undefined && (known.trust.kind === "insecure") !== (next.trust.kind === "insecure")
}

function otherTransport(): Fault {
  const why = "this profile has a broker already, and only one of the two has TLS"
  return new Fault("config", why, "mqttchat --profile OTHER pair")
}

/** Who makes an invitation chooses its pin and the user in it, so neither changes the broker that we trust. */
function otherKey(known: BrokerConfig, invited: BrokerConfig): Fault {
  const [ours, theirs] = [known, invited].map(identityOf)
  return new Fault(
    "usage",
    `this invitation is for another broker: it says ${theirs ?? ""}, and yours is known by ${ours ?? ""}`,
    "if the person who runs your broker confirms it: mqttchat config set broker HOST --pin PIN, then register again",
  )
}

function identityOf({ trust, address }: BrokerConfig): string {
  return trust.kind === "pin" ? `the pin ${toHex(trust.pin)}` : `the name ${address.host}`
}

/** A device's credential keeps the user id of its invitation. */
function isOwnInvitation(invitation: Uint8Array, known: StoredCredential | undefined): boolean {
  const user = decodeInvitation(invitation)?.user
  const userId = user && toBase64url(user)
  return known?.kind === "device" && known.userId === userId
}

function askToJoin(state: Joining, kind: "enrolling" | "rejoining", invitation: Uint8Array): BrokerStep {
  const request: RegistrarRequest = { kind: "enroll", invitation }
  return {
    next: { ...state, step: { kind } },
    effects: [{ kind: "ask", broker: state.join.broker, request }],
  }
}

export function joinAfterObtained(state: Joining, fresh: DeviceCredential, input: BrokerInput): BrokerStep {
  const { broker } = state.join
  switch (state.step.kind) {
    case "ending":
      return beginJoin(state, input)
    case "enrolling":
      return finishJoin(state, open(broker, fresh))
    case "rejoining":
      return { next: { ...state, step: { kind: "moving", fresh } }, effects: [{ kind: "save", broker }] }
    case "queued":
    case "saving":
    case "moving":
    case "leaving":
      return unchanged(state)
  }
}

export function joinAfterSaved(state: Joining): BrokerStep {
  const { step, previous } = state
  const { broker, credential } = state.join
  if (step.kind === "saving") {
    return credential.kind === "invitation"
      ? askToJoin(state, "enrolling", credential.bytes)
      : finishJoin(state, open(broker, credential))
  }
  if (step.kind !== "moving") return unchanged(state)
  const { fresh } = step
  return previous === undefined
    ? finishJoin(state, open(broker, fresh))
    : { next: { ...state, step: { kind: "leaving", fresh } }, effects: [{ kind: "close-connection" }] }
}

export function joinAfterClosing(state: Joining, input: BrokerInput): BrokerStep {
  const { step, join } = state
  if (step.kind === "ending") return beginJoin(state, input)
  return step.kind === "leaving" ? finishJoin(state, open(join.broker, step.fresh)) : unchanged(state)
}

export function joinAfterFailure(state: Joining, why: Fault, input: BrokerInput): BrokerStep {
  return state.step.kind === "ending" ? beginJoin(state, input) : failJoin(state, why, input)
}

/** Events of the previous connection meanwhile. What it needs waits until the join has an outcome. */
export function joinAfterSign(state: Joining, connection: ConnectionState, input: BrokerInput): BrokerStep {
  if (state.previous === undefined || isOver(state.previous)) return unchanged(state)
  const previous = afterSign(state.previous, connection, input)
  const effects = previous.kind === "explaining" ? [] : [report(connection)]
  const next = { ...state, previous }
  return state.step.kind === "queued" ? before(effects, beginJoin(next, input)) : { next, effects }
}

function finishJoin(state: Joining, opened: OpenStep): BrokerStep {
  const effects = [...opened.effects, { kind: "joined" } as const]
  const [join, ...later] = state.later
  if (join === undefined) return { next: opened.next, effects }
  const queued = { kind: "joining", join, later, previous: opened.next, step: { kind: "queued" } } as const
  return { next: queued, effects }
}

/** Returns to the previous connection. */
function failJoin(state: Joining, why: Fault, input: BrokerInput): BrokerStep {
  const [join, ...later] = state.later
  const { previous } = state
  const effects = [{ kind: "join-failed", why } as const]
  if (join !== undefined) return before(effects, beginJoin({ ...state, join, later }, input))
  return before(effects, previous === undefined ? begin(input) : resume(previous, input))
}

function before(effects: readonly BrokerEffect[], step: BrokerStep): BrokerStep {
  return { next: step.next, effects: [...effects, ...step.effects] }
}
