import type { ChatClient } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { parseChatLine } from "./chat-line.ts"

/** At most so much typing is lost in a crash; each time costs a write to the disk. */
const KEPT_AFTER_MS = 2_000

/** Keeps what is typed in a chat as the draft of the conversation: while it is typed, and when the chat ends. */
export class DraftKeeper {
  readonly #client: ChatClient
  readonly #contact: string
  /** As the engine has it; undefined if that is not known here. */
  #kept: string | undefined = ""
  #typed = ""
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(client: ChatClient, contact: string) {
    this.#client = client
    this.#contact = contact
  }

  /** What the line begins with: nothing is written until it is edited. */
  offered(draft: string): void {
    this.#kept = this.#typed = draft
  }

  edited(line: string): void {
    this.#typed = draftOf(line)
    if (this.#typed === this.#kept) return
    this.#timer ??= setTimeout(() => void this.save().catch(ignoreFault), KEPT_AFTER_MS)
  }

  /**
   * Does what a line asks for, between what is kept before and after it: the engine removes a draft with the commit that
   * sends it. Then the draft is what was typed meanwhile.
   */
  sending<Result>(work: () => Promise<Result>, typed: () => string): Promise<Result> {
    const sent = this.#saving.catch(ignoreFault).then(work)
    const after = (): void => {
      this.#kept = undefined
      this.#typed = draftOf(typed())
    }
    this.#saving = sent.then(after, after)
    return sent
  }

  /** Now, without waiting for more. Faults of the engine, as while it is locked; the next call tries again. */
  save(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#saving = this.#saving.catch(ignoreFault).then(() => this.#saveNewest())
    return this.#saving
  }

  async #saveNewest(): Promise<void> {
    const text = this.#typed
    if (text === this.#kept) return
    await this.#client.call("set-draft", { contact: this.#contact, text })
    this.#kept = text
  }
}

/** A command is no draft, but the text of one is. */
function draftOf(line: string): string {
  const input = parseChatLine(line)
  return "text" in input && input.kind !== "unknown" ? input.text : ""
}

/** The line to type for a draft. */
export function lineOf(draft: string): string {
  return draft.startsWith("/") ? `/${draft}` : draft
}

export function ignoreFault(cause: unknown): void {
  if (!(cause instanceof Fault)) throw cause
}
