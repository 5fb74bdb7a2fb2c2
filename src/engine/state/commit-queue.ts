import { encodeSession } from "../../session/snapshot.ts"
import type { AccountChain } from "../../account/account-chain.ts"
import type { AccountLink } from "../../store/account-record.ts"
import type { CommitReport, Write } from "../../store/records.ts"
import { apply, copyState, openState, type EngineState } from "./engine-state.ts"
import type { Change, CommittedEffect, Decision, Effect } from "./decision.ts"
import { eventRecord, isRecorded } from "./event-log.ts"
import type { Store } from "../../store/message-store.ts"

/** At most this many steps share one commit; with more, the first of them would wait too long for the last. */
const STEPS_PER_COMMIT = 128

/** The only way to change memory and disk, step by step. */
export type CommitQueue = {
  /** The state on disk; read-only, and stale after every await. */
  readonly state: () => EngineState
  /**
   * Runs the step on the newest state and resolves with its result once its changes are on disk. Rejects with
   * the Fault of the commit; then neither memory nor disk has changed.
   */
  readonly run: <Result>(step: (state: EngineState) => Decision<Result>) => Promise<Result>
  /** What each commit takes along, from now on; no commit is made for it alone. */
  readonly takeAlong: (changes: () => readonly Change[]) => void
  /** Whether no step waits for its commit. */
  readonly isIdle: () => boolean
  /** Resolves when no step is in progress. */
  readonly idle: () => Promise<void>
}

type Waiting = { readonly decide: (batch: Batch) => void; readonly reject: (why: unknown) => void }

/** Steps of one commit: the state they share, and the effects to run when it is on disk. */
type Batch = {
  readonly state: EngineState
  readonly changes: Change[]
  readonly effects: CommittedEffect[]
  readonly done: (() => void)[]
}

type Committed = { readonly batch: Batch; readonly report: CommitReport }
const NOTHING_REPORTED: CommitReport = new Map()

/** `runEffects` gets the effects of each commit, in the order of the steps; the next commit waits for it. */
export async function openCommitQueue(
  store: Store,
  runEffects: (effects: readonly CommittedEffect[]) => Promise<void>,
): Promise<CommitQueue> {
  const state = openState(await store.load())
  // Steps run on a second state, so that no part acts on what is not on disk yet.
  let ahead = copyState(state)
  const waiting: Waiting[] = []
  let working: Promise<void> | undefined
  let alongside: () => readonly Change[] = () => []

  async function commit(steps: readonly Waiting[]): Promise<Committed> {
    const batch: Batch = { state: ahead, changes: [], effects: [], done: [] }
    for (const step of steps) step.decide(batch)
    if (batch.changes.length > 0) add(batch, alongside())
    const report = batch.changes.length > 0 ? await store.commit(writes(batch.changes)) : NOTHING_REPORTED
    for (const change of batch.changes) apply(state, change)
    return { batch, report }
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await allPendingSteps()
      const committed = await commitOrReject(waiting.splice(0, STEPS_PER_COMMIT))
      if (committed === undefined) continue
      for (const done of committed.batch.done) done()
      await runEffects(asRecorded(committed))
    }
    working = undefined
  }

  async function commitOrReject(steps: readonly Waiting[]): Promise<Committed | undefined> {
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
        add(batch, decision.commit)
        for (const effect of decision.effects) record(batch, effect)
        batch.done.push(() => resolve(decision.result))
      }
      waiting.push({ decide, reject })
      working ??= drain()
    })
  }

  return {
    state: () => state,
    run,
    takeAlong: (changes) => (alongside = changes),
    isIdle: () => working === undefined,
    idle: () => working ?? Promise.resolve(),
  }
}

function add({ state, changes }: Batch, more: readonly Change[]): void {
  for (const change of more) apply(state, change)
  changes.push(...more)
}

/** The event log shares the commit of its subject: neither is on disk without the other. */
function record({ state, changes, effects }: Batch, effect: Effect): void {
  if (!isRecorded(effect)) {
    effects.push(effect)
    return
  }
  // The events of a contact that this batch forgets are forgotten with it.
  if (!state.conversations.has(effect.conversation)) return
  const change = { kind: "event", event: eventRecord(effect, state.nextEvent) } as const
  apply(state, change)
  changes.push(change)
  effects.push({ kind: "recorded", event: change.event })
}

/** The effects without those events that are not on disk: the message was known, or its state was reached before. */
function asRecorded({ batch, report }: Committed): readonly CommittedEffect[] {
  if (report.size === 0) return batch.effects
  return batch.effects.flatMap((effect): CommittedEffect[] => {
    if (effect.kind !== "recorded" || !report.has(effect.event.number)) return [effect]
    const event = report.get(effect.event.number)
    return event === undefined ? [] : [{ kind: "recorded", event }]
  })
}

/** All frames that have arrived by now share the commit, since most of its time is spent on the disk. */
function allPendingSteps(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A step that throws has changed nothing, and must not fail the rest of its batch. */
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

/** If a batch writes the same record several times, only the last state needs to be written. */
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

/** The record that a change replaces; undefined if the change adds to the disk or depends on it. */
function keyOf(change: Change): string | undefined {
  if (change.kind === "session") return `session/${change.device}`
  if (change.kind === "device-part") return `${change.part}/${change.device}`
  if (change.kind === "setting") return `setting/${change.key}`
  if (change.kind === "outgoing") return `outgoing/${change.outgoing.seq}`
  return change.kind === "outgoing-done" ? `outgoing/${change.seq}` : undefined
}

function written(change: Change): Write {
  if (change.kind === "session")
    return { kind: "session", device: change.device, snapshot: encodeSession(change.session) }
  if (change.kind === "own-link")
    return { kind: "own-link", number: change.link.number, link: change.link.bytes }
  if (change.kind !== "account") return change
  const links = [...linksOf(change.chain, 0), ...(change.rival ? linksOf(change.rival, 1) : [])]
  return { kind: "account-links", contact: change.contact, links }
}

function linksOf({ links }: AccountChain, branch: number): AccountLink[] {
  return links.map(({ number, bytes }) => ({ branch, number, link: bytes }))
}
