import { encodeSession } from "../session/snapshot.ts"
import type { Store, Write } from "../store/records.ts"
import { apply, copyBook, openBook, type Book } from "./book.ts"
import type { Change, Decision, Told } from "./decision.ts"

/** So many steps share one commit at most; more would make the first of them wait for the last. */
const STEPS_PER_COMMIT = 128

/** The one path on which memory and disk change, step by step. */
export type Journal = {
  /** What is on disk; read only, and anew after every wait. */
  readonly book: () => Book
  /**
   * Runs the step on the newest memory and resolves with its result once its changes are on disk. Rejects with
   * the Fault of the commit; then neither memory nor disk has changed.
   */
  readonly run: <Result>(step: (book: Book) => Decision<Result>) => Promise<Result>
  /** Resolves when nothing is under way. */
  readonly idle: () => Promise<void>
}

type Waiting = { readonly decide: (batch: Batch) => void; readonly reject: (why: unknown) => void }

/** Steps of one commit: what they saw of each other, and what to say when it is on disk. */
type Batch = {
  readonly book: Book
  readonly changes: Change[]
  readonly told: Told[]
  readonly done: (() => void)[]
}

/** `tell` hears of each commit, in the order of the steps; the next commit waits for it. */
export async function openJournal(
  store: Store,
  tell: (told: readonly Told[]) => Promise<void>,
): Promise<Journal> {
  const book = openBook(await store.load())
  // Steps are decided on a second book, so that nobody acts on what is not on disk yet.
  let ahead = copyBook(book)
  const waiting: Waiting[] = []
  let working: Promise<void> | undefined

  async function commit(steps: readonly Waiting[]): Promise<Batch> {
    const batch: Batch = { book: ahead, changes: [], told: [], done: [] }
    for (const step of steps) step.decide(batch)
    if (batch.changes.length > 0) await store.commit(writes(batch.changes))
    for (const change of batch.changes) apply(book, change)
    return batch
  }

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      await allThatHasCome()
      const batch = await commitOrReject(waiting.splice(0, STEPS_PER_COMMIT))
      for (const done of batch?.done ?? []) done()
      await tell(batch?.told ?? [])
    }
    working = undefined
  }

  async function commitOrReject(steps: readonly Waiting[]): Promise<Batch | undefined> {
    try {
      return await commit(steps)
    } catch (fault) {
      ahead = copyBook(book)
      for (const step of steps) step.reject(fault)
      return undefined
    }
  }

  function run<Result>(step: (book: Book) => Decision<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const decide = (batch: Batch) => {
        const decision = decided(step, batch.book, reject)
        if (decision === undefined) return
        for (const change of decision.commit) apply(batch.book, change)
        batch.changes.push(...decision.commit)
        batch.told.push(...decision.tell)
        batch.done.push(() => resolve(decision.result))
      }
      waiting.push({ decide, reject })
      working ??= work()
    })
  }

  return { book: () => book, run, idle: () => working ?? Promise.resolve() }
}

/** What every socket holds by now shares the commit, for most of its time is the disk's. */
function allThatHasCome(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A step that throws has changed nothing, and must not take the rest of its batch with it. */
function decided<Result>(
  step: (book: Book) => Decision<Result>,
  book: Book,
  reject: (why: unknown) => void,
): Decision<Result> | undefined {
  try {
    return step(book)
  } catch (fault) {
    reject(fault)
    return undefined
  }
}

/** Of what a batch writes over and over the last state is the only one worth writing. */
function writes(changes: readonly Change[]): Write[] {
  const last = new Map<string, Change>()
  for (const change of changes) {
    const place = placeOf(change)
    if (place !== undefined) last.set(place, change)
  }
  return changes
    .filter((change) => {
      const place = placeOf(change)
      return place === undefined || last.get(place) === change
    })
    .map(written)
}

/** What a change writes as a whole; undefined for what adds to the disk or depends on it. */
function placeOf(change: Change): string | undefined {
  if (change.kind === "session") return `session/${change.contact}`
  if (change.kind === "setting") return `setting/${change.key}`
  if (change.kind === "outgoing") return `outgoing/${change.outgoing.seq}`
  return change.kind === "outgoing-done" ? `outgoing/${change.seq}` : undefined
}

function written(change: Change): Write {
  if (change.kind !== "session") return change
  return { kind: "session", contact: change.contact, snapshot: encodeSession(change.session) }
}
