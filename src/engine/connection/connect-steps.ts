import { Fault } from "../../errors.ts"
import type { ConnectionState } from "../../transport/transport.ts"
import {
  EXPLAIN_MS,
  RECHECK_MS,
  type BrokerEffect,
  type BrokerInput,
  type BrokerState,
  type BrokerStep,
  type Connected,
  type Interrupting,
  type RegistrarRequest,
  type UsableCredential,
} from "./broker-state.ts"
import { isReachedAlike } from "./moved-broker.ts"
import type { BrokerConfig, DeviceCredential } from "../state/ports.ts"

/** Connects with what the profile has. A missing or expired certificate is obtained first. */
export function begin(input: BrokerInput): BrokerStep {
  const { broker, credential } = input
  if (broker === undefined || credential === undefined) return unchanged({ kind: "no-broker" })
  const { registrar } = broker
  switch (credential.kind) {
    case "invitation":
      return ask(broker, { kind: "enroll", invitation: credential.bytes })
    case "restored":
      return registrar === undefined ? deny(noRegistrar()) : ask(broker, { kind: "restore", registrar })
    case "device":
      return registrar !== undefined && isExpired(credential, input)
        ? ask(broker, { kind: "renew", registrar, credential })
        : open(broker, credential)
    case "account":
      return open(broker, credential)
  }
}

/** Connects with what the profile has now, in place of what it had. A join under way names its own broker. */
export function restart(state: Exclude<BrokerState, { kind: "closed" }>, input: BrokerInput): BrokerStep {
  switch (state.kind) {
    case "no-broker":
    case "waiting":
    case "denied":
      return begin(input)
    case "obtaining":
      return { next: { kind: "interrupting", previous: undefined }, effects: [{ kind: "interrupt" }] }
    case "explaining":
      return { next: { kind: "interrupting", previous: state }, effects: [{ kind: "interrupt" }] }
    case "connecting":
    case "online":
    case "offline":
    case "stopped":
      return reconnect()
    case "interrupting":
    case "reconnecting":
    case "joining":
      return unchanged(state)
  }
}

/** The request that was interrupted has ended, in whatever way. */
export function afterInterruption({ previous }: Interrupting, input: BrokerInput): BrokerStep {
  return previous === undefined ? begin(input) : reconnect()
}

/** Begins again with what the profile has by now. */
export function reconnect(): BrokerStep {
  return { next: { kind: "reconnecting" }, effects: [{ kind: "close-connection" }] }
}

/** Opens a connection of our own. */
export type OpenStep = BrokerStep & { readonly next: Connected }

export function open(broker: BrokerConfig, credential: UsableCredential): OpenStep {
  return { next: { kind: "connecting", broker, credential }, effects: [{ kind: "open", broker, credential }] }
}

export function unchanged(state: BrokerState): BrokerStep {
  return { next: state, effects: [] }
}

function ask(broker: BrokerConfig, request: RegistrarRequest): BrokerStep {
  return { next: { kind: "obtaining", broker, request }, effects: [{ kind: "ask", broker, request }] }
}

export function deny(why: Fault): BrokerStep {
  return { next: { kind: "denied" }, effects: [report({ kind: "stopped", why })] }
}

export function report(connection: ConnectionState): BrokerEffect {
  return { kind: "report", connection }
}

type Obtaining = Extract<BrokerState, { kind: "obtaining" }>

export function afterObtained(
  { broker, request }: Obtaining,
  fresh: DeviceCredential,
  input: BrokerInput,
): BrokerStep {
  return request.kind === "renew" && !isValidNow(fresh, input)
    ? afterFailure(clocksDiffer())
    : open(broker, fresh)
}

/** What was no answer of the registrar itself says nothing about the next try [D-170]. */
export function afterFailure(why: Fault): BrokerStep {
  const kind = why.code === "unavailable" ? "offline" : "stopped"
  return { next: { kind: "waiting" }, effects: [report({ kind, why }), { kind: "retry" }] }
}

export function followConnection(
  state: Connected,
  connection: ConnectionState,
  input: BrokerInput,
): BrokerStep {
  if (isOver(state)) return unchanged(state)
  const sign = afterSign(state, connection, input)
  const { next, effects } = resume(sign, input)
  return { next, effects: sign.kind === "explaining" ? effects : [report(connection), ...effects] }
}

/** A refused connection reports nothing more. */
export function isOver({ kind }: Connected): boolean {
  return kind === "explaining" || kind === "stopped"
}

/** The state of the connection after this event. Refused with an old certificate, it is not stopped: another follows. */
export function afterSign(state: Connected, connection: ConnectionState, input: BrokerInput): Connected {
  const { broker, credential } = state
  if (connection.kind !== "stopped") return { kind: connection.kind, broker, credential }
  if (isOutdated(state, input)) return { kind: "offline", broker, credential }
  const { why } = connection
  const canExplain = why.code === "refused" && credential.kind === "device" && broker.registrar !== undefined
  return canExplain
    ? { kind: "explaining", broker, credential, why }
    : { kind: "stopped", broker, credential, why }
}

/** Keeps an open connection, unless another one should replace it. */
export function resume(state: Connected, input: BrokerInput): BrokerStep {
  switch (state.kind) {
    case "connecting":
      return unchanged(state)
    case "stopped":
      return { next: state, effects: tryAgainLater(state.why) }
    case "online":
      return { next: state, effects: checkCertificate(input) }
    case "offline":
      return isOutdated(state, input) ? reconnect() : unchanged(state)
    case "explaining":
      return explain(state)
  }
}

/** A broker cannot tell why it refuses a certificate. Its registrar can, when it is asked to renew it. */
function explain(state: Extract<Connected, { kind: "explaining" }>): BrokerStep {
  const { broker, credential, why } = state
  if (credential.kind !== "device" || broker.registrar === undefined) return stop(state, why)
  const request = { kind: "renew", registrar: broker.registrar, credential } as const
  return {
    next: state,
    effects: [
      { kind: "ask", broker, request },
      { kind: "wake", afterMs: EXPLAIN_MS },
    ],
  }
}

/** A certificate from a time when the registrar's clock was wrong is why, if the new one is valid now. */
export function afterReplacement(
  state: Extract<Connected, { kind: "explaining" }>,
  fresh: DeviceCredential,
  input: BrokerInput,
): BrokerStep {
  const { credential, why } = state
  const wasWhy = credential.kind === "device" && !isValidNow(credential, input) && isValidNow(fresh, input)
  return wasWhy ? reconnect() : stop(state, why)
}

/** The registrar's reason counts only if the broker refused for it too. */
export function afterExplanation(
  state: Extract<Connected, { kind: "explaining" }>,
  answer: Fault | undefined,
): BrokerStep {
  return stop(state, answer?.code === "replaced" ? answer : state.why)
}

function stop({ broker, credential }: Connected, why: Fault): BrokerStep {
  return {
    next: { kind: "stopped", broker, credential, why },
    effects: [...tryAgainLater(why), report({ kind: "stopped", why })],
  }
}

function tryAgainLater(why: Fault): BrokerEffect[] {
  return isFinal(why) ? [] : [{ kind: "retry" }]
}

/** Only the registrar can say that another device has taken our place, and it stays so [D-170]. */
export function isFinal({ code }: Fault): boolean {
  return code === "replaced"
}

/** Renews a due certificate over the open connection, and checks again a day later. */
function checkCertificate({ broker, credential, now, validityOf }: BrokerInput): BrokerEffect[] {
  const registrar = broker?.registrar
  if (credential?.kind !== "device" || registrar === undefined) return []
  const validity = validityOf(credential.certificate)
  const isDue = validity !== undefined && (now < validity.begin || now >= validity.renewFrom)
  return [
    { kind: "wake", afterMs: RECHECK_MS },
    ...(isDue ? [{ kind: "renew", registrar, credential } as const] : []),
  ]
}

/** Whether connecting again in this way would be wrong: the broker has moved, or the certificate is not the right one. */
function isOutdated({ broker, credential: used }: Connected, input: BrokerInput): boolean {
  if (input.broker !== undefined && !isReachedAlike(broker, input.broker)) return true
  if (used.kind !== "device") return false
  const { credential } = input
  const isReplaced = credential?.kind === "device" && credential.certificate !== used.certificate
  return isReplaced || (broker.registrar !== undefined && isExpired(used, input))
}

function isValidNow({ certificate }: DeviceCredential, { now, validityOf }: BrokerInput): boolean {
  const validity = validityOf(certificate)
  return validity === undefined || (now >= validity.begin && now < validity.end)
}

function isExpired({ certificate }: DeviceCredential, { now, validityOf }: BrokerInput): boolean {
  const validity = validityOf(certificate)
  return validity !== undefined && now >= validity.end
}

function noRegistrar(): Fault {
  return new Fault(
    "config",
    "the broker has no registrar to ask for a certificate",
    "mqttchat register INVITATION",
  )
}

/** Without it, two clocks this far apart would renew certificates in a loop. */
function clocksDiffer(): Fault {
  const message =
    "the broker's registrar has just issued a certificate that is not valid now by this machine's clock"
  return new Fault("refused", message, "check this machine's clock, then ask the person who runs the broker")
}
