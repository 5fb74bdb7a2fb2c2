import fc from "fast-check"

import { someFrameFaults, type FrameFault } from "./network-model.ts"

export type Who = 0 | 1

/** What can happen between two users and a broker. */
export type FaultEvent =
  | { readonly kind: "say"; readonly who: Who; readonly count: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "weather"; readonly faults: readonly FrameFault[] }
  | { readonly kind: "die"; readonly who: Who; readonly ms: number }
  | { readonly kind: "hang-up"; readonly ms: number }
  | { readonly kind: "forget"; readonly sessionPresent: boolean }
  | { readonly kind: "replay"; readonly last: number }
  | { readonly kind: "full disk"; readonly who: Who; readonly ms: number }
  | { readonly kind: "jump"; readonly days: number }
  | { readonly kind: "do"; readonly what: "reset" | "cancel" | "look"; readonly who: Who }

/** Disks are put back only in separate schedules, which promise less. */
export type DiskEvent = {
  readonly kind: "do"
  readonly what: "copy disk" | "put disk back"
  readonly who: Who
}

const who = fc.constantFrom<Who>(0, 1)

type Choice<T> = { readonly weight: number; readonly arbitrary: fc.Arbitrary<T> }

const ordinary: Choice<FaultEvent>[] = [
  choice(10, { kind: fc.constant("say" as const), who, count: fc.integer({ min: 1, max: 40 }) }),
  choice(8, {
    kind: fc.constant("pass" as const),
    ms: fc.constantFrom(0, 1, 3, 6, 100, 1_100, 5_000, 40_000),
  }),
  choice(4, {
    kind: fc.constant("weather" as const),
    faults: someFrameFaults,
  }),
  choice(2, { kind: fc.constant("die" as const), who, ms: fc.constantFrom(0, 10, 3_000) }),
  choice(1, { kind: fc.constant("hang-up" as const), ms: fc.constantFrom(1, 10_000) }),
  choice(1, { kind: fc.constant("forget" as const), sessionPresent: fc.boolean() }),
  choice(1, { kind: fc.constant("replay" as const), last: fc.integer({ min: 1, max: 100 }) }),
  choice(1, { kind: fc.constant("full disk" as const), who, ms: fc.constantFrom(1, 100, 10_000) }),
  choice(1, { kind: fc.constant("jump" as const), days: fc.constantFrom(-2, 2) }),
  choice(3, { kind: fc.constant("do" as const), what: fc.constantFrom("reset", "cancel", "look"), who }),
]

const diskEvents: Choice<DiskEvent>[] = [
  choice(7, { kind: fc.constant("do" as const), what: fc.constantFrom("copy disk", "put disk back"), who }),
]

function choice<T>(weight: number, shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): Choice<T> {
  return { weight, arbitrary: fc.record<T>(shape) }
}

export function schedules(length: number): fc.Arbitrary<(FaultEvent | DiskEvent)[]> {
  return fc.array(fc.oneof(...ordinary), { minLength: 1, maxLength: length, size: "max" })
}

export function schedulesWithRollbacks(length: number): fc.Arbitrary<(FaultEvent | DiskEvent)[]> {
  const all = fc.oneof(...ordinary, ...diskEvents)
  return fc.array(all, { minLength: 1, maxLength: length, size: "max" })
}
