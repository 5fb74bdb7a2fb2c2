import { toHex } from "../crypto/bytes.ts"
import type { Database } from "./database.ts"
import { addEvent } from "./event-log.ts"
import type { CommitReport, EventRecord, Write } from "./records.ts"
import { changeMessage } from "./changes.ts"
import { addMessage, changeState } from "./write-messages.ts"
import type { ChangeWrite, NewMessage } from "./message-records.ts"

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

  addMessage(write: Extract<Write, { kind: "message" }>): void {
    const { message } = write
    const { conversation, author, id } = message
    const added = addMessage(this.#database, write)
    this.#note({ conversation, author, id, state: null, change: undefined }, added === message, added)
  }

  changeState(write: Extract<Write, { kind: "message-state" }>): void {
    const { conversation, id, state } = write
    const name = { conversation, author: null, id, state, change: undefined }
    this.#note(name, changeState(this.#database, write), undefined)
  }

  changeMessage(write: ChangeWrite): void {
    const name = { ...write, state: null, change: write.change.kind }
    this.#note(name, changeMessage(this.#database, write), undefined)
  }

  addEvent(event: EventRecord): void {
    const name = this.#instead.size === 0 ? undefined : nameOf(event)
    if (name === undefined || !this.#instead.has(name)) {
      addEvent(this.#database, event)
      return
    }
    const line = this.#instead.get(name)
    const recorded = line && recordOf(event.number, line)
    if (recorded !== undefined) addEvent(this.#database, recorded)
    this.#report.set(event.number, recorded)
  }

  /** Almost everything is written: then no name is made. */
  #note(name: Name, isWritten: boolean, instead: NewMessage | undefined): void {
    if (!isWritten) this.#instead.set(nameOf(name), instead)
    else if (this.#instead.size > 0) this.#instead.delete(nameOf(name))
  }
}

function recordOf(number: number, { conversation, author, id }: NewMessage): EventRecord {
  return { number, conversation, author, id, state: null, change: undefined }
}

type Name = Omit<EventRecord, "number">

function nameOf({ conversation, author, id, state, change }: Name): string {
  return `${conversation}/${author ?? "we"}/${toHex(id)}/${state ?? change ?? "added"}`
}
