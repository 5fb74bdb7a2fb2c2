import fc from "fast-check"

import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import { someFrameFaults, type FrameFault } from "./network-model.ts"

/** The number of a person; a history of two has fewer people than one of twenty, so it is taken modulo. */
type Who = number

export type BrokerLimit = "packet" | "queue" | "quota" | "hang up" | "filter"
export type Damage = "flip" | "truncate" | "zero page"

/** What happens between people, their machines and a broker. */
export type HistoryEvent =
  | { readonly kind: "say"; readonly who: Who; readonly to: Who; readonly count: number }
  | {
      readonly kind: "change"
      readonly who: Who
      readonly to: Who
      readonly what: "edit" | "delete" | "react"
      readonly nth: number
    }
  | { readonly kind: "act"; readonly who: Who; readonly to: Who; readonly what: "reset" | "cancel" | "look" }
  | { readonly kind: "timer"; readonly who: Who; readonly to: Who; readonly seconds: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "network"; readonly faults: readonly FrameFault[] }
  | { readonly kind: "die"; readonly who: Who; readonly ms: number }
  | { readonly kind: "hang up"; readonly ms: number }
  | { readonly kind: "forget"; readonly sessionPresent: boolean }
  | { readonly kind: "replay"; readonly last: number }
  | { readonly kind: "full disk"; readonly who: Who; readonly ms: number }
  | { readonly kind: "clock"; readonly who: Who; readonly days: number; readonly ms: number }
  | { readonly kind: "suspend"; readonly ms: number }
  | { readonly kind: "reboot"; readonly who: Who; readonly ms: number }
  | { readonly kind: "limit"; readonly what: BrokerLimit; readonly ms: number }
  | { readonly kind: "copy"; readonly who: Who }
  | { readonly kind: "put back"; readonly who: Who }
  | { readonly kind: "damage"; readonly who: Who; readonly how: Damage; readonly at: number }

type Kind = HistoryEvent["kind"]
type Fields<K extends Kind> = Omit<Extract<HistoryEvent, { kind: K }>, "kind">

const PEOPLE_MAX = 20
const who = fc.nat(PEOPLE_MAX - 1)
const to = who
const shortMs = fc.constantFrom(0, 1, 100, 3_000, MINUTE_MS)

/** How often each kind happens, beside the others. A new kind does not compile until it has a line here. */
const KINDS: {
  readonly [K in Kind]: readonly [number, { [F in keyof Fields<K>]: fc.Arbitrary<Fields<K>[F]> }]
} = {
  say: [10, { who, to, count: fc.integer({ min: 1, max: 12 }) }],
  change: [4, { who, to, what: fc.constantFrom("edit", "delete", "react"), nth: fc.nat(20) }],
  act: [3, { who, to, what: fc.constantFrom("reset", "cancel", "look", "look") }],
  timer: [1, { who, to, seconds: fc.constantFrom(0, 3_600, 86_400) }],
  pass: [8, { ms: fc.constantFrom(0, 1, 6, 100, 1_100, 5_000, 40_000, 10 * MINUTE_MS) }],
  network: [4, { faults: someFrameFaults }],
  die: [2, { who, ms: shortMs }],
  "hang up": [1, { ms: shortMs }],
  forget: [1, { sessionPresent: fc.boolean() }],
  replay: [1, { last: fc.integer({ min: 1, max: 100 }) }],
  "full disk": [1, { who, ms: shortMs }],
  clock: [3, { who, days: fc.constantFrom(-400, -60, 60, 400), ms: fc.constantFrom(10_000, HOUR_MS, 0) }],
  suspend: [1, { ms: fc.constantFrom(MINUTE_MS, 8 * HOUR_MS) }],
  reboot: [2, { who, ms: fc.constantFrom(0, HOUR_MS, 2 * DAY_MS) }],
  limit: [
    2,
    {
      what: fc.constantFrom("packet", "queue", "quota", "hang up", "filter"),
      ms: fc.constantFrom(1, 40_000),
    },
  ],
  copy: [3, { who }],
  "put back": [3, { who }],
  damage: [1, { who, how: fc.constantFrom("flip", "truncate", "zero page"), at: fc.nat(1_000) }],
}

/** Those after which a store is older than what its peer has: they promise less. */
export const ROLLBACKS: readonly Kind[] = ["copy", "put back", "damage"]

export function histories(
  length: number,
  without: readonly Kind[] = [],
): fc.Arbitrary<readonly HistoryEvent[]> {
  const choices = (Object.keys(KINDS) as Kind[])
    .filter((kind) => !without.includes(kind))
    .map((kind) => {
      const [weight, fields] = KINDS[kind]
      return {
        weight,
        arbitrary: eventOf(kind, fields),
      }
    })
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength: length, size: "max" })
}

function eventOf(
  kind: Kind,
  fields: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<HistoryEvent> {
  return fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<HistoryEvent>
}
