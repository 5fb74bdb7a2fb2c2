import type { Client } from "aedes"

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

/** What aedes calls itself when a packet is done with; it counts, and one call too many reads what is there. */
function readNext(client: Client): void {
  const next: unknown = Reflect.get(client, "_nextBatch")
  if (typeof next === "function") setImmediate(() => void Reflect.apply(next, client, []))
}
