import { encodeSession } from "../../session/snapshot.ts"
import type { Store, Write } from "../../store/records.ts"
import { apply, copyState, openState, type EngineState } from "./engine-state.ts"
import type { Change, CommittedEffect, Decision, Effect } from "./decision.ts"
import { eventRecord } from "./event-log.ts"

/** So many steps share one commit at most; more would make the first of them wait for the last. */
const STEPS_PER_COMMIT = 128

/** The one path on which memory and disk change, step by step. */
export type CommitQueue = {
  /** What is on disk; read only, and to be read again after every wait. */
  readonly state: () => EngineState
  /**
   * Runs the step on the newest memory and resolves with its result once its changes are on disk. Rejects with
   * the Fault of the commit; then neither memory nor disk has changed.
   */
  readonly run: <Result>(step: (state: EngineState) => Decision<Result>) => Promise<Result>
  /** Resolves when no step is in progress. */
  readonly idle: () => Promise<void>
}

type Waiting = { readonly decide: (batch: Batch) => void; readonly reject: (why: unknown) => void }

/** Steps of one commit: what they saw of each other, and what to say when it is on disk. */
type Batch = {
  readonly state: EngineState
  readonly changes: Change[]
  readonly effects: CommittedEffect[]
  readonly done: (() => void)[]
}

/** `runEffects` gets the effects of each commit, in the order of the steps; the next commit waits for it. */
export async function openCommitQueue(
  store: Store,
  runEffects: (effects: readonly CommittedEffect[]) => Promise<void>,
): Promise<CommitQueue> {
  const state = openState(await store.load())
  // Steps are decided on a second state, so that no part acts on what is not on disk yet.
  let ahead = copyState(state)
  const waiting: Waiting[] = []
  let working: Promise<void> | undefined

  async function commit(steps: readonly Waiting[]): Promise<Batch> {
    const batch: Batch = { state: ahead, changes: [], effects: [], done: [] }
    for (const step of steps) step.decide(batch)
    if (batch.changes.length > 0) await store.commit(writes(batch.changes))
    for (const change of batch.changes) apply(state, change)
    return batch
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await allPendingSteps()
      const batch = await commitOrReject(waiting.splice(0, STEPS_PER_COMMIT))
      if (batch === undefined) continue
      for (const done of batch.done) done()
      await runEffects(batch.effects)
    }
    working = undefined
  }

  async function commitOrReject(steps: readonly Waiting[]): Promise<Batch | undefined> {
    try {
      return await commit(steps)
    } catch (fault) {
      ahead = copyState(state)
      for (const step of steps) step.reject(fault)
      return undefined
    }
  }

  function run<Result>(step: (state: EngineState) => Decision<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const decide = (batch: Batch) => {
        const decision = decided(step, batch.state, reject)
        if (decision === undefined) return
        for (const change of decision.commit) apply(batch.state, change)
        batch.changes.push(...decision.commit)
        for (const effect of decision.effects) record(batch, effect)
        batch.done.push(() => resolve(decision.result))
      }
      waiting.push({ decide, reject })
      working ??= drain()
    })
  }

  return { state: () => state, run, idle: () => working ?? Promise.resolve() }
}

/** The log shares the commit of what it tells of: neither is on disk without the other. */
function record({ state, changes, effects }: Batch, effect: Effect): void {
  if (effect.kind !== "message" && effect.kind !== "receipt" && effect.kind !== "read") {
    effects.push(effect)
    return
  }
  // A contact that a step of this batch has forgotten takes its events along.
  if (!state.contacts.has(effect.contact)) return
  const change = { kind: "event", event: eventRecord(effect, state.nextEvent) } as const
  apply(state, change)
  changes.push(change)
  effects.push({ kind: "recorded", event: change.event })
}

/** What every socket holds by now shares the commit, for most of its time is the disk's. */
function allPendingSteps(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A step that throws has changed nothing, and must not take the rest of its batch with it. */
function decided<Result>(
  step: (state: EngineState) => Decision<Result>,
  state: EngineState,
  reject: (why: unknown) => void,
): Decision<Result> | undefined {
  try {
    return step(state)
  } catch (fault) {
    reject(fault)
    return undefined
  }
}

/** Of what a batch writes over and over the last state is the only one worth writing. */
function writes(changes: readonly Change[]): Write[] {
  const last = new Map<string, Change>()
  for (const change of changes) {
    const key = keyOf(change)
    if (key !== undefined) last.set(key, change)
  }
  return changes
    .filter((change) => {
      const key = keyOf(change)
      return key === undefined || last.get(key) === change
    })
    .map(written)
}

/** What a change writes as a whole; undefined for what adds to the disk or depends on it. */
function keyOf(change: Change): string | undefined {
  if (change.kind === "session") return `session/${change.contact}`
  if (change.kind === "device") return `${change.part}/${change.contact}`
  if (change.kind === "setting") return `setting/${change.key}`
  if (change.kind === "outgoing") return `outgoing/${change.outgoing.seq}`
  return change.kind === "outgoing-done" ? `outgoing/${change.seq}` : undefined
}

function written(change: Change): Write {
  if (change.kind !== "session") return change
  return { kind: "session", contact: change.contact, snapshot: encodeSession(change.session) }
}
