import { REGISTRATION_REQUESTS, TOPIC_KINDS, topicFilter, type Topic } from "./topics.ts"

/** The three kinds of clients of a broker of ours. */
export type ClientKind = "device" | "guest" | "registrar"
/** Common name, user name and client id of the registrar: the one name that is not a device id. */
export const REGISTRAR_ID = "registrar"

export type AccessAction = "publish" | "subscribe"

/** The scope of a rule within one kind of topic. */
export type AccessScope =
  | "any"
  /** Those that name the client itself. */
  | "own"
  /** Topics whose id the client named first. A broker that cannot remember it allows any. */
  | "claimed"
  /** All at once, by the wildcard. */
  | "all"

type TopicScopes = Readonly<Partial<Record<Topic["kind"], AccessScope>>>

/** Who may publish and subscribe to what; all else is refused. Every broker's rules are generated from this table. */
export const ACCESS_RULES: Readonly<Record<ClientKind, Readonly<Record<AccessAction, TopicScopes>>>> = {
  device: {
    publish: { inbox: "any", pairing: "any", group: "any", "registration-request": "own" },
    subscribe: { inbox: "own", pairing: "any", group: "any", "registration-answer": "own" },
  },
  guest: {
    publish: { pairing: "claimed", "registration-request": "claimed" },
    subscribe: { pairing: "claimed", "registration-answer": "claimed" },
  },
  registrar: {
    publish: { "registration-answer": "any" },
    subscribe: { "registration-request": "all" },
  },
}

/** The one filter with a wildcard that a client may subscribe to: the own inbox, the registrar's requests. */
export function wildcardFilter(kind: ClientKind, id: string | undefined): string | undefined {
  switch (kind) {
    case "device":
      return id && topicFilter("inbox", id)
    case "registrar":
      return REGISTRATION_REQUESTS
    case "guest":
      return undefined
  }
}

/** What one kind of client may do with one kind of topics, for brokers that are configured with filters. */
export type AccessGrant = {
  readonly topic: Topic["kind"]
  readonly publish: AccessScope | undefined
  readonly subscribe: AccessScope | undefined
}

/** In the order of `Topic`. */
export function accessGrants(kind: ClientKind): readonly AccessGrant[] {
  const { publish, subscribe } = ACCESS_RULES[kind]
  return TOPIC_KINDS.map((topic) => ({ topic, publish: publish[topic], subscribe: subscribe[topic] }))
}

/** A filter for such a scope; `own` is how a broker's configuration names the client. */
export function scopeFilter(topic: Topic["kind"], scope: AccessScope, own: string): string {
  return topicFilter(topic, scope === "own" ? own : "+")
}
