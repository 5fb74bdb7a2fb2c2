import type { Client } from "aedes"
import { readNext } from "../aedes-internals.ts"

/** Messages of one sender that may wait for the disk together; our own client has ten under way. */
const AHEAD_MAX = 64

/**
 * Aedes 1.2 reads nothing more from a client until the last packet is answered, so a sender's next message would wait
 * for the disk to have the one before, and the receiver waits too. Here reading goes on meanwhile.
 */
export class ReadAhead {
  readonly #ahead = new WeakMap<Client, number>()

  /** Called when a message begins to wait; what it returns is called when it no longer does. */
  begin(client: Client | null): () => void {
    if (client === null) return () => undefined
    const ahead = (this.#ahead.get(client) ?? 0) + 1
    this.#ahead.set(client, ahead)
    if (ahead < AHEAD_MAX) readNext(client)
    return () => void this.#ahead.set(client, (this.#ahead.get(client) ?? 1) - 1)
  }
}
