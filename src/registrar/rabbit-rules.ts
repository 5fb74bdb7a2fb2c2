import { isId, parseTopic, REGISTRATION_REQUESTS } from "../wire/topics.ts"
import { REGISTRAR_ID } from "./registrar.ts"

/** RabbitMQ's `mqtt.default_user`: whoever shows neither certificate nor account. */
const GUEST = "guest"
/** Where RabbitMQ's MQTT plugin publishes to and subscribes from. */
const EXCHANGE = "amq.topic"

/** What the rules must know of the registrar's ledger. */
export type Admitted = {
  /** True for a device that has ever been let in. */
  readonly isDevice: (id: string) => boolean
  /** False for one that was revoked. */
  readonly mayEnter: (id: string) => boolean
}

/** The questions of RabbitMQ's HTTP backend, by their path. */
export const QUESTIONS = ["user", "vhost", "resource", "topic"] as const
export type Question = (typeof QUESTIONS)[number]

type Asked = { readonly get: (field: string) => string | null }
type Kind = "registrar" | "device" | "guest" | "nobody"

/**
 * What RabbitMQ may allow. It asks for every login, queue, exchange and topic, and names the client id each time, so
 * that the rules of the other brokers hold here: user name and client id are the certificate's common name.
 */
export function allows(question: Question, asked: Asked, admitted: Admitted): boolean {
  const kind = question === "user" ? entering(asked, admitted) : kindOf(asked, clientOf(asked), admitted)
  if (kind === "nobody") return false
  switch (question) {
    case "user":
    case "vhost":
      return true
    case "resource":
      return mayUse(asked)
    case "topic":
      return asked.get("permission") === "write" ? mayPublish(kind, asked) : mayReceive(kind, asked)
  }
}

/**
 * A certificate comes without a password, and its client id with the next question. Nobody is a device by knowing its
 * name: what a client says of itself comes with the password it gave, or as the guest.
 */
function entering(asked: Asked, admitted: Admitted): Kind {
  const user = asked.get("username") ?? ""
  if (user === GUEST) return kindOf(asked, clientOf(asked), admitted)
  return asked.get("password") === null ? kindOf(asked, user, admitted) : "nobody"
}

function clientOf(asked: Asked): string {
  return asked.get("client_id") ?? asked.get("variable_map.client_id") ?? ""
}

function kindOf(asked: Asked, client: string, { isDevice, mayEnter }: Admitted): Kind {
  const user = asked.get("username") ?? ""
  // a guest under a device's client id would end that device's connection
  if (user === GUEST) return isId(client) && !isDevice(client) ? "guest" : "nobody"
  if (user !== client) return "nobody"
  if (user === REGISTRAR_ID) return "registrar"
  return isId(user) && mayEnter(user) ? "device" : "nobody"
}

/** The own queue, and the exchange as it is. */
function mayUse(asked: Asked): boolean {
  const name = asked.get("name")
  if (asked.get("resource") === "exchange") {
    return name === EXCHANGE && asked.get("permission") !== "configure"
  }
  const own = [0, 1].map((qos) => `mqtt-subscription-${clientOf(asked)}qos${qos}`)
  return asked.get("resource") === "queue" && own.includes(name ?? "")
}

function mayPublish(kind: Kind, asked: Asked): boolean {
  const named = parseTopic(topicOf(asked))
  switch (named?.kind) {
    case "inbox":
      return kind === "device"
    case "pairing":
      return kind !== "registrar"
    case "registration-request":
      return kind === "guest" || (kind === "device" && named.id === asked.get("username"))
    case "registration-answer":
      return kind === "registrar"
    case undefined:
      return false
  }
}

function mayReceive(kind: Kind, asked: Asked): boolean {
  const filter = topicOf(asked)
  if (kind === "registrar") return filter === REGISTRATION_REQUESTS
  const own = asked.get("username") ?? ""
  if (kind === "device" && filter === `mc/1/i/${own}/+`) return true
  const named = parseTopic(filter)
  if (named?.kind === "inbox") return kind === "device" && named.device === own
  if (named?.kind === "registration-answer") return kind === "guest" || named.id === own
  return named?.kind === "pairing"
}

/** RabbitMQ writes AMQP's `.` and `*` for MQTT's `/` and `+`; no topic of ours has either. */
function topicOf(asked: Asked): string {
  return (asked.get("routing_key") ?? "").replaceAll(".", "/").replaceAll("*", "+")
}
