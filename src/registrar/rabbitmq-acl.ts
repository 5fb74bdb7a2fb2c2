import { isId, parseTopic, REGISTRATION_REQUESTS } from "../wire/topics.ts"
import { REGISTRAR_ID } from "./registrar.ts"

/** RabbitMQ's `mqtt.default_user`: a client with neither certificate nor account. */
const GUEST = "guest"
/** Where RabbitMQ's MQTT plugin publishes to and subscribes from. */
const EXCHANGE = "amq.topic"

/** What the rules must know of the registrar's ledger. */
export type KnownDevices = {
  /** True for a device that has ever been let in. */
  readonly isDevice: (id: string) => boolean
  /** False for one that was revoked. */
  readonly mayConnect: (id: string) => boolean
}

/** The questions of RabbitMQ's HTTP backend, by their path. */
export const AUTH_PATHS = ["user", "vhost", "resource", "topic"] as const
export type AuthPath = (typeof AUTH_PATHS)[number]

type AuthFields = { readonly get: (field: string) => string | null }
type PrincipalKind = "registrar" | "device" | "guest" | "nobody"

/**
 * What RabbitMQ may allow. It asks for every login, queue, exchange and topic, and names the client id each time, so
 * that the rules of the other brokers hold here: user name and client id are the certificate's common name.
 */
export function allows(path: AuthPath, fields: AuthFields, known: KnownDevices): boolean {
  const kind = path === "user" ? loginKind(fields, known) : principalKind(fields, clientOf(fields), known)
  if (kind === "nobody") return false
  switch (path) {
    case "user":
    case "vhost":
      return true
    case "resource":
      return mayUseResource(fields)
    case "topic":
      return fields.get("permission") === "write" ? mayPublish(kind, fields) : mayReceive(kind, fields)
  }
}

/**
 * A certificate comes without a password, and its client id with the next request. Knowing a
 * device's name is not enough: a client that only states a name comes with its password, or as the guest.
 */
function loginKind(fields: AuthFields, known: KnownDevices): PrincipalKind {
  const user = fields.get("username") ?? ""
  if (user === GUEST) return principalKind(fields, clientOf(fields), known)
  return fields.get("password") === null ? principalKind(fields, user, known) : "nobody"
}

function clientOf(fields: AuthFields): string {
  return fields.get("client_id") ?? fields.get("variable_map.client_id") ?? ""
}

function principalKind(
  fields: AuthFields,
  client: string,
  { isDevice, mayConnect }: KnownDevices,
): PrincipalKind {
  const user = fields.get("username") ?? ""
  // a guest under a device's client id would end that device's connection
  if (user === GUEST) return isId(client) && !isDevice(client) ? "guest" : "nobody"
  if (user !== client) return "nobody"
  if (user === REGISTRAR_ID) return "registrar"
  return isId(user) && mayConnect(user) ? "device" : "nobody"
}

/** The own queue, and the exchange as it is. */
function mayUseResource(fields: AuthFields): boolean {
  const name = fields.get("name")
  if (fields.get("resource") === "exchange") {
    return name === EXCHANGE && fields.get("permission") !== "configure"
  }
  const own = [0, 1].map((qos) => `mqtt-subscription-${clientOf(fields)}qos${qos}`)
  return fields.get("resource") === "queue" && own.includes(name ?? "")
}

function mayPublish(kind: PrincipalKind, fields: AuthFields): boolean {
  const parsed = parseTopic(topicOf(fields))
  switch (parsed?.kind) {
    case "inbox":
      return kind === "device"
    case "pairing":
      return kind !== "registrar"
    case "registration-request":
      return kind === "guest" || (kind === "device" && parsed.id === fields.get("username"))
    case "registration-answer":
      return kind === "registrar"
    case undefined:
      return false
  }
}

function mayReceive(kind: PrincipalKind, fields: AuthFields): boolean {
  const filter = topicOf(fields)
  if (kind === "registrar") return filter === REGISTRATION_REQUESTS
  const own = fields.get("username") ?? ""
  if (kind === "device" && filter === `mc/1/i/${own}/+`) return true
  const parsed = parseTopic(filter)
  if (parsed?.kind === "inbox") return kind === "device" && parsed.device === own
  if (parsed?.kind === "registration-answer") return kind === "guest" || parsed.id === own
  return parsed?.kind === "pairing"
}

/** RabbitMQ writes AMQP's `.` and `*` for MQTT's `/` and `+`; no topic of ours has either. */
function topicOf(fields: AuthFields): string {
  return (fields.get("routing_key") ?? "").replaceAll(".", "/").replaceAll("*", "+")
}
