import { dropsQueue, readsQueue, takesOverClientId } from "../probe/attack-client-id.ts"
import { answersForRegistrar, READ_FILTERS, readsInbox, remembersRefused } from "../probe/attack-read.ts"
import { announcesEndlessPacket, sendsOversized } from "../probe/attack-size.ts"
import { leavesRetained, seesNames, seesStatistics, willsAnywhere } from "../probe/attack-traces.ts"
import { good, unknown, weak } from "./finding.ts"
import type { Check, Judgement } from "./finding.ts"
import type { Attack, Outcome, Probes } from "../probe/attack-runner.ts"
import type { BrokerKind } from "../probe/broker-kind.ts"

/** One question of the audit. It asks what any member of this broker could do to another. */
export type Audit = Check & {
  /** How it is tried, each by what it comes to. */
  readonly attacks: Readonly<Record<string, Attack>>
  /** It takes two whom the broker can tell apart: one account could do it to itself at any broker. */
  readonly takesTwo: boolean
  readonly fixes: { readonly mosquitto: string; readonly other: string }
}

const EMBEDDED_FIX = "install the newest mqttchat where the broker runs: its broker refuses this"

const readAttacks: Record<string, Attack> = Object.fromEntries(
  Object.entries(READ_FILTERS).map(([how, filter]) => [how, readsInbox(filter)]),
)

export const AUDITS: readonly Audit[] = [
  {
    name: "other-inbox",
    what: "whether a member can read another's inbox",
    why: "messages stay sealed, but who gets how many, and when, would be plain",
    attacks: { ...readAttacks, "remembered refusal": remembersRefused },
    takesTwo: false,
    fixes: {
      mosquitto: "an acl_file with: pattern read mc/1/i/%u/+ (as mosquitto/devices.acl has it)",
      other: "let a member read mc/1/i/MEMBER/+ only, and write mc/1/i/+/+",
    },
  },
  {
    name: "client-id",
    what: "whether a member can take another's client id",
    why: "with it, a member reads or deletes the messages that wait for the other",
    attacks: { connected: takesOverClientId, "reads the queue": readsQueue, "drops the queue": dropsQueue },
    takesTwo: true,
    fixes: {
      mosquitto: "use_identity_as_username true, use_username_as_clientid true",
      other: "tie the client id to the certificate or account",
    },
  },
  {
    name: "registrar",
    what: "whether a member can answer in the registrar's place",
    why: "forged answers are detected, but real ones could be drowned out",
    attacks: { answers: answersForRegistrar },
    takesTwo: false,
    fixes: {
      mosquitto: "an acl_file in which only user registrar writes mc/1/reg/a/+",
      other: "let only the registrar write mc/1/reg/a/+",
    },
  },
  {
    name: "sys",
    what: "what the broker's own topics tell a member",
    why: "they may name who is connected and who listens to what",
    attacks: { names: seesNames, statistics: seesStatistics },
    takesTwo: false,
    fixes: {
      mosquitto: "sys_interval 0, and no topic read $SYS/# in acl_file",
      other: "let only the operator read $SYS/#",
    },
  },
  {
    name: "retained",
    what: "whether a member can leave a retained message in another's inbox",
    why: "it would come again at each reconnect, and tell a stranger that the inbox exists",
    attacks: { retained: leavesRetained },
    takesTwo: false,
    fixes: { mosquitto: "retain_available false", other: "refuse retained messages below mc/1" },
  },
  {
    name: "wills",
    what: "whether a will is published where its owner may not publish",
    why: "it bypasses the access rules, and shows when someone disconnects",
    attacks: { will: willsAnywhere },
    takesTwo: false,
    fixes: {
      mosquitto: "an acl_file: wills are held to it",
      other: "refuse wills, or hold them to the rules of publishing",
    },
  },
  {
    name: "oversized",
    what: "whether a member can send far more than any message of ours",
    why: "some thousand of them fill the broker's memory and all queues",
    attacks: { oversized: sendsOversized },
    takesTwo: false,
    fixes: { mosquitto: "max_packet_size 66560", other: "limit packets to 66,560 bytes" },
  },
  {
    name: "endless",
    what: "whether the broker collects a packet of 256 MB from a client it has not admitted",
    why: "a few such connections, from anyone, end the broker",
    attacks: { endless: announcesEndlessPacket },
    takesTwo: false,
    fixes: {
      mosquitto: "max_packet_size 66560",
      other:
        "limit packets before CONNECT, too (RabbitMQ: mqtt.max_packet_size_unauthenticated; 3.10 cannot)",
    },
  },
]

/** Tries one question's attacks, one after the other. */
export async function runAttacks({ attacks }: Audit, probes: Probes): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  for (const [how, attack] of Object.entries(attacks)) outcomes.set(how, await attack(probes))
  return outcomes
}

export function judgeAudit(
  audit: Audit,
  outcomes: ReadonlyMap<string, Outcome>,
  broker: BrokerKind,
): Judgement {
  const how = (wanted: Outcome): string[] =>
    [...outcomes].filter(([, outcome]) => outcome === wanted).map(([name]) => name)
  const [succeeded, unclear] = [how("succeeds"), how("unclear")]
  if (succeeded.length > 0) return weak(`yes (${succeeded.join(", ")})`, fixFor(audit, broker))
  if (unclear.length > 0) return unknown(`not even the doctor's own messages came (${unclear.join(", ")})`)
  return good("no")
}

export function fixFor({ fixes }: Audit, broker: BrokerKind): string {
  return broker === "embedded" ? EMBEDDED_FIX : fixes[broker]
}
