import {
  ACCESS_RULES,
  REGISTRAR_ID,
  wildcardFilter,
  type AccessScope,
  type ClientKind,
} from "../wire/access-rules.ts"
import { isId, parseTopic, topicOwner } from "../wire/topics.ts"

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

/**
 * What RabbitMQ may allow. It asks for every login, queue, exchange and topic, and names the client id each time, so
 * that the rules of the other brokers hold here: user name and client id are the certificate's common name.
 */
export function allows(path: AuthPath, fields: AuthFields, known: KnownDevices): boolean {
  const kind = path === "user" ? loginKind(fields, known) : principalKind(fields, clientOf(fields), known)
  if (kind === undefined) return false
  switch (path) {
    case "user":
    case "vhost":
      return true
    case "resource":
      return mayUseResource(fields)
    case "topic":
      return mayUseTopic(kind, fields)
  }
}

/**
 * A certificate comes without a password, and its client id with the next request. Knowing a
 * device's name is not enough: a client that only states a name comes with its password, or as the guest.
 */
function loginKind(fields: AuthFields, known: KnownDevices): ClientKind | undefined {
  const user = fields.get("username") ?? ""
  if (user === GUEST) return principalKind(fields, clientOf(fields), known)
  return fields.get("password") === null ? principalKind(fields, user, known) : undefined
}

function clientOf(fields: AuthFields): string {
  return fields.get("client_id") ?? fields.get("variable_map.client_id") ?? ""
}

function principalKind(
  fields: AuthFields,
  client: string,
  { isDevice, mayConnect }: KnownDevices,
): ClientKind | undefined {
  const user = fields.get("username") ?? ""
  // a guest under a device's client id would end that device's connection
  if (user === GUEST) return isId(client) && !isDevice(client) ? "guest" : undefined
  if (user !== client) return undefined
  if (user === REGISTRAR_ID) return "registrar"
  return isId(user) && mayConnect(user) ? "device" : undefined
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

function mayUseTopic(kind: ClientKind, fields: AuthFields): boolean {
  const action = fields.get("permission") === "write" ? "publish" : "subscribe"
  const own = fields.get("username") ?? ""
  const filter = topicOf(fields)
  if (action === "subscribe" && filter === wildcardFilter(kind, own)) return true
  const topic = parseTopic(filter)
  return topic !== undefined && isWithin(ACCESS_RULES[kind][action][topic.kind], topicOwner(topic) === own)
}

/** A guest's claims are unknown here, and a wildcard was looked for before. */
function isWithin(scope: AccessScope | undefined, isOwn: boolean): boolean {
  switch (scope) {
    case undefined:
    case "all":
      return false
    case "any":
    case "claimed":
      return true
    case "own":
      return isOwn
  }
}

/** RabbitMQ writes AMQP's `.` and `*` for MQTT's `/` and `+`; no topic of ours has either. */
function topicOf(fields: AuthFields): string {
  return (fields.get("routing_key") ?? "").replaceAll(".", "/").replaceAll("*", "+")
}
