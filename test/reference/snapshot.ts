import { concat, int, optional, toHex } from "./bytes.ts"
import type { State } from "./ratchet.ts"

/** [S-50] */
export function snapshotOf(state: State): Uint8Array {
  const { present, promised } = state
  return concat(
    int(1, 1),
    int(state.role, 1),
    int(state.sending !== undefined ? 2 : state.theirs !== undefined ? 1 : 0, 1),
    ...[state.th, state.root, state.nextHeaderKey, state.upcoming],
    optional(present && concat(present.headerKey, present.chainKey, int(present.number, 4))),
    sideOf(state),
    int(state.lastId, 2),
    int(state.lastAnswered, 2),
    int(state.messages, 4),
    int(state.since, 8),
    stepOf(state),
    optional(promised && concat(int(promised.id, 2), promised.ss)),
    skippedOf(state),
  )
}

function sideOf({ own, sending, theirs, previous }: State): Uint8Array {
  const pair = own === undefined ? new Uint8Array() : concat(own.secret, own.key)
  if (theirs !== undefined) return concat(theirs, int(previous, 2))
  if (sending === undefined) return pair
  const { headerKey, chainKey, sent, before, kem } = sending
  return concat(pair, headerKey, chainKey, int(sent, 2), int(before, 2), int(kem, 2))
}

function stepOf({ asked, ready }: State): Uint8Array {
  if (asked !== undefined) return concat(int(1, 1), int(asked.id, 2), asked.seed)
  if (ready !== undefined) return concat(int(2, 1), int(ready.id, 2), ready.ss)
  return int(0, 1)
}

function skippedOf({ skipped }: State): Uint8Array {
  const runs: State["skipped"][] = []
  for (const key of skipped) {
    const last = runs.at(-1)
    const first = last?.[0]
    const isSame = first?.stored === key.stored && toHex(first.headerKey) === toHex(key.headerKey)
    if (last !== undefined && isSame) last.push(key)
    else runs.push([key])
  }
  return concat(int(runs.length, 2), ...runs.map(runOf))
}

function runOf(run: State["skipped"]): Uint8Array {
  const [first] = run
  if (first === undefined) throw new Error("a run has a key")
  const keys = run.map(({ tag, messageKey }) => concat(tag, messageKey))
  return concat(first.headerKey, int(first.stored, 8), int(run.length, 2), ...keys)
}
