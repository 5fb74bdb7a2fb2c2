import type { OpenBundleRecord } from "../../store/records.ts"
import { DAY_S } from "../../time-units.ts"
import type { Change } from "../state/decision.ts"
import { closing } from "./bundles.ts"

/** A restored backup, or a laptop that was off for long, starts with a bundle of ours from before the last handshake. */
const SUPERSEDED_LIFE_S = 30 * DAY_S
const SUPERSEDED_MAX = 8

/** The newest of them stay valid for a while, in case the peer returns to an older state. */
export function retire(superseded: OpenBundleRecord[], now: number): Change[] {
  const until = now + SUPERSEDED_LIFE_S
  const newest = superseded.filter(({ notAfter }) => notAfter >= now).sort((a, b) => b.notAfter - a.notAfter)
  const kept = newest.slice(0, SUPERSEDED_MAX)
  const shortened = kept.filter(({ notAfter }) => notAfter > until)
  return [
    ...closing(superseded.filter((bundle) => !kept.includes(bundle))),
    ...shortened.map((bundle): Change => ({ kind: "open-bundle", bundle: { ...bundle, notAfter: until } })),
  ]
}
