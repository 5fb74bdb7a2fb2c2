import {
  ACCESS_RULES,
  accessGrants,
  REGISTRAR_ID,
  scopeFilter,
  type AccessAction,
  type AccessScope,
  type ClientKind,
} from "../src/wire/access-rules.ts"
import { TOPIC_KINDS, topicFilter, type Topic } from "../src/wire/topics.ts"
import { code, table } from "./markdown.ts"

const KINDS = Object.keys(ACCESS_RULES) as ClientKind[]
/** The placeholder in a topic for any of its kind. */
const ANY: Readonly<Record<Topic["kind"], string>> = {
  inbox: "DEVICE",
  pairing: "N",
  group: "EPOCH",
  "registration-request": "ID",
  "registration-answer": "ID",
}
const SPECIFIED: Readonly<Record<Topic["kind"], string>> = {
  inbox: "<device>",
  pairing: "<nameplate>",
  group: "<epoch>",
  "registration-request": "<id>",
  "registration-answer": "<id>",
}

/** The table of docs/brokers.md: by client. */
export function accessTable(): string {
  const rows = KINDS.map((kind) => [
    kind === "registrar" ? code(REGISTRAR_ID) : kind,
    topics(kind, "publish").join(", "),
    topics(kind, "subscribe").join(", "),
  ])
  return table(["who", "publishes to", "subscribes to"], rows)
}

function topics(kind: ClientKind, action: AccessAction): readonly string[] {
  return accessGrants(kind).flatMap(({ topic, [action]: scope }) => {
    if (scope === undefined) return []
    const filter = topicFilter(topic, ownerIn(topic, scope))
    // Only a subscriber may write a wildcard.
    return [code(action === "publish" ? filter.replace("+", "MAILBOX") : filter)]
  })
}

function ownerIn(topic: Topic["kind"], scope: AccessScope): string {
  if (scope === "all") return "+"
  return scope === "own" ? "OWN" : ANY[topic]
}

/** The table of [W-10]: by topic. */
export function topicTable(): string {
  const rows = TOPIC_KINDS.map((topic) => [
    code(topicFilter(topic, SPECIFIED[topic]).replace("+", "<mailbox>")),
    clients(topic, "publish"),
    clients(topic, "subscribe"),
  ])
  return table(["topic", "who writes", "who reads"], rows)
}

function clients(topic: Topic["kind"], action: AccessAction): string {
  const allowed = KINDS.flatMap((kind) => {
    const scope = ACCESS_RULES[kind][action][topic]
    if (scope === undefined) return []
    if (kind === "registrar") return ["the registrar"]
    return [scope === "own" ? `the ${kind} named` : `${kind}s`]
  })
  return allowed.join(" and ")
}

/** The rules of EMQX's acl.conf. */
export function emqxRules(): string {
  const own = "${username}"
  const rules = (who: string, kind: ClientKind): readonly string[] => [
    `{allow, ${who}, publish, ${filters(kind, "publish", own)}}.`,
    `{allow, ${who}, subscribe, ${filters(kind, "subscribe", own)}}.`,
  ]
  return [
    ...rules(`{username, "${REGISTRAR_ID}"}`, "registrar"),
    `{deny, all, subscribe, ["${topicFilter("registration-request", "#")}"]}.`,
    ...rules("all", "device"),
    "{deny, all}.",
  ]
    .map((rule) => `    ${rule}`)
    .join("\n")
}

function filters(kind: ClientKind, action: AccessAction, own: string): string {
  const granted = accessGrants(kind).flatMap(({ topic, [action]: scope }) =>
    scope === undefined ? [] : [`"${scopeFilter(topic, scope, own)}"`],
  )
  return `[${granted.join(", ")}]`
}

/** The lines of dynamic-security.sh for the role that all devices share. */
export function sharedRole(): string {
  return roleLines("mqttchat", (scope) => scope !== "own", "'")
}

/** The lines for the role of one device. */
export function deviceRole(): string {
  return roleLines('"$device"', (scope) => scope === "own", '"')
}

function roleLines(role: string, belongs: (scope: AccessScope) => boolean, quote: string): string {
  const line = (verb: string, filter: string): string => `  allow ${role} ${verb} ${quote}${filter}${quote}`
  return accessGrants("device")
    .flatMap(({ topic, publish, subscribe }) => {
      const written = publish && belongs(publish) ? scopeFilter(topic, publish, "$device") : undefined
      const read = subscribe && belongs(subscribe) ? scopeFilter(topic, subscribe, "$device") : undefined
      const subscribed = read?.includes("+") === true ? "subscribePattern" : "subscribeLiteral"
      return [
        ...(written === undefined ? [] : [line("publishClientSend", written)]),
        ...(read === undefined ? [] : [line(subscribed, read), line("publishClientReceive", read)]),
      ]
    })
    .join("\n")
}
