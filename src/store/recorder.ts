import { toHex } from "../crypto/bytes.ts"
import type { Database } from "./database.ts"
import { addEvent } from "./event-log.ts"
import type { CommitReport, EventRecord, NewMessage, Write } from "./records.ts"
import { addMessage, changeState } from "./write-messages.ts"

/** Writes messages and their events in one commit: only what the disk then holds is recorded. */
export class Recorder {
  readonly #database: Database
  /** What stands in the place of an event whose message or state was not written. */
  readonly #instead = new Map<string, NewMessage | undefined>()
  readonly #report = new Map<number, EventRecord | undefined>()

  constructor(database: Database) {
    this.#database = database
  }

  get report(): CommitReport {
    return this.#report
  }

  addMessage({ message, ifReused }: Extract<Write, { kind: "message" }>): void {
    const added = addMessage(this.#database, message, ifReused)
    this.#note(nameOf({ ...message, state: null }), added === message, added)
  }

  changeState(write: Extract<Write, { kind: "message-state" }>): void {
    this.#note(nameOf({ ...write, mine: true }), changeState(this.#database, write), undefined)
  }

  addEvent(event: EventRecord): void {
    const name = nameOf(event)
    if (!this.#instead.has(name)) {
      addEvent(this.#database, event)
      return
    }
    const line = this.#instead.get(name)
    const recorded = line && {
      number: event.number,
      contact: line.contact,
      mine: line.mine,
      id: line.id,
      state: null,
    }
    if (recorded !== undefined) addEvent(this.#database, recorded)
    this.#report.set(event.number, recorded)
  }

  #note(name: string, isWritten: boolean, instead: NewMessage | undefined): void {
    if (isWritten) this.#instead.delete(name)
    else this.#instead.set(name, instead)
  }
}

type Recorded = Pick<EventRecord, "contact" | "mine" | "id" | "state">

function nameOf({ contact, mine, id, state }: Recorded): string {
  return `${contact}/${mine ? "mine" : "theirs"}/${toHex(id)}/${state ?? "added"}`
}
