import { Fault } from "../../errors.ts"
import type {
  BrokerEffect,
  BrokerEvent,
  BrokerInput,
  BrokerState,
  BrokerStep,
  Connected,
} from "./broker-state.ts"
import {
  afterExplanation,
  afterFailure,
  afterInterruption,
  afterObtained,
  afterReplacement,
  begin,
  deny,
  followConnection,
  isFinal,
  report,
  restart,
  resume,
  reconnect,
  unchanged,
} from "./connect-steps.ts"
import {
  expireJoin,
  join,
  joinAfterClosing,
  joinAfterFailure,
  joinAfterObtained,
  joinAfterSaved,
  joinAfterSign,
} from "./join-steps.ts"

type Open = Exclude<BrokerState, { kind: "closed" }>
type Of<Kind extends BrokerEvent["kind"]> = Extract<BrokerEvent, { kind: Kind }>

/** Applies one event. An event that does not fit the state changes nothing. */
export function brokerStep(state: BrokerState, event: BrokerEvent, input: BrokerInput): BrokerStep {
  if (state.kind === "closed") return { next: state, effects: event.kind === "join" ? [failed()] : [] }
  switch (event.kind) {
    case "start":
      return state.kind === "no-broker" ? begin(input) : unchanged(state)
    case "join":
      return join(state, event.join, input)
    case "join-expired":
      return state.kind === "joining" ? expireJoin(state, event.join) : unchanged(state)
    case "broker-changed":
      return restart(state, input)
    case "connection":
      return onConnection(state, event, input)
    case "guest-offline":
      return onGuestOffline(state, event)
    case "obtained":
      return onObtained(state, event, input)
    case "saved":
      return state.kind === "joining" ? joinAfterSaved(state) : unchanged(state)
    case "connection-closed":
      return onConnectionClosed(state, input)
    case "failed":
      return onFailed(state, event, input)
    case "refused":
      return onRefused(state, event, input)
    case "asked":
      return onAsked(state, input)
    case "wake":
      return onWake(state, input)
    case "close":
      return close(state)
  }
}

function onConnection(state: Open, { connection }: Of<"connection">, input: BrokerInput): BrokerStep {
  if (state.kind === "joining") return joinAfterSign(state, connection, input)
  return isConnected(state) ? followConnection(state, connection, input) : unchanged(state)
}

function isConnected(state: Open): state is Connected {
  return "credential" in state
}

/** A guest's outcome says nothing about our own connection. */
function onGuestOffline(state: Open, { why }: Of<"guest-offline">): BrokerStep {
  const isOnlyConnection =
    state.kind === "obtaining" || (state.kind === "joining" && state.previous === undefined)
  return { next: state, effects: isOnlyConnection ? [report({ kind: "offline", why })] : [] }
}

function onObtained(state: Open, { credential }: Of<"obtained">, input: BrokerInput): BrokerStep {
  if (state.kind === "obtaining") return afterObtained(state, credential, input)
  if (state.kind === "explaining") return afterReplacement(state, credential, input)
  if (state.kind === "interrupting") return afterInterruption(state, input)
  return state.kind === "joining" ? joinAfterObtained(state, credential, input) : unchanged(state)
}

function onFailed(state: Open, { why }: Of<"failed">, input: BrokerInput): BrokerStep {
  if (state.kind === "obtaining") return afterFailure(why)
  if (state.kind === "explaining") return afterExplanation(state, why)
  if (state.kind === "interrupting") return afterInterruption(state, input)
  return state.kind === "joining" ? joinAfterFailure(state, why, input) : unchanged(state)
}

function onRefused(state: Open, { why }: Of<"refused">, input: BrokerInput): BrokerStep {
  return state.kind === "obtaining" ? deny(why) : onFailed(state, { kind: "failed", why }, input)
}

/** What a refusal by the registrar, or a missing broker, leaves to the user, no try can change. */
function onAsked(state: Open, input: BrokerInput): BrokerStep {
  switch (state.kind) {
    case "no-broker":
    case "denied":
    case "online":
    case "joining":
      return unchanged(state)
    case "connecting":
    case "reconnecting":
    case "interrupting":
    case "explaining":
      return trying(unchanged(state))
    case "obtaining":
    case "offline":
      return trying({ next: state, effects: [{ kind: "try-now" }] })
    case "waiting":
      return trying(begin(input))
    case "stopped":
      return isFinal(state.why) ? unchanged(state) : trying(reconnect())
  }
}

function trying({ next, effects }: BrokerStep): BrokerStep {
  return { next, effects: [{ kind: "trying" }, ...effects] }
}

function onConnectionClosed(state: Open, input: BrokerInput): BrokerStep {
  if (state.kind === "reconnecting") return begin(input)
  return state.kind === "joining" ? joinAfterClosing(state, input) : unchanged(state)
}

function onWake(state: Open, input: BrokerInput): BrokerStep {
  if (state.kind === "waiting") return begin(input)
  if (state.kind === "online") return resume(state, input)
  if (state.kind === "stopped") return reconnect()
  return { next: state, effects: state.kind === "explaining" ? [{ kind: "interrupt" }] : [] }
}

function close(state: Open): BrokerStep {
  const joins = state.kind === "joining" ? [state.join, ...state.later] : []
  return { next: { kind: "closed" }, effects: [{ kind: "end" }, ...joins.map(failed)] }
}

function failed(): BrokerEffect {
  return { kind: "join-failed", why: new Fault("unavailable", "the connection was closed") }
}
