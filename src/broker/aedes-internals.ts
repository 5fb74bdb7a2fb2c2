import { Aedes, type AedesOptions, type Client, type PublishPacket } from "aedes"

/*
 * All that depends on parts of aedes 1.2 which it does not document. test/broker/aedes-internals.test.ts fails when
 * another version of aedes has other ones.
 */

/** Two bytes, and 0 is none (MQTT 3.1.1, section 2.3.1). */
const MESSAGE_ID_MAX = 65_535

type Done = (error?: Error) => void

/** Aedes, but for the messages that a queue brings: routing them once more would cost as much again and end in nothing. */
export class Router extends Aedes {
  readonly #bypassesRouting: (packet: PublishPacket) => boolean

  constructor(options: AedesOptions, bypassesRouting: (packet: PublishPacket) => boolean) {
    super(options)
    this.#bypassesRouting = bypassesRouting
  }

  /** Called after PUBACK; aedes names the sender between packet and callback. */
  override publish(packet: PublishPacket, ...rest: [Done] | [Client | null, Done]): void {
    const done = rest.at(-1)
    if (typeof done === "function" && this.#bypassesRouting(packet)) setImmediate(done)
    else super.publish(packet, ...(rest as [Done]))
  }
}

/** Aedes calls this itself when a packet is done with; it counts, and one call too many reads what is there. */
export function readNext(client: Client): void {
  const next: unknown = Reflect.get(client, "_nextBatch")
  if (typeof next === "function") setImmediate(() => void Reflect.apply(next, client, []))
}

/** Aedes numbers what it forwards to the same client by this counter: from two, one PUBACK could settle the wrong message. */
export function takeMessageId(client: Client): number {
  const id = Number(Reflect.get(client, "_nextId"))
  Reflect.set(client, "_nextId", id >= MESSAGE_ID_MAX ? 1 : id + 1)
  return id
}

/**
 * Two habits of aedes are undone for this client. It drops a message whose counter is below the last one it forwarded,
 * although messages overtake each other. And it makes a publisher wait until each subscriber's socket has drained;
 * here no publisher waits, and a subscriber that does not read is disconnected.
 */
export function forwardAtOnce(client: Client): void {
  Object.assign(client, FORWARDS_AT_ONCE)
}

/** One for all clients: nothing in it depends on whose it is. */
const FORWARDS_AT_ONCE = {
  duplicates: new Proxy({}, { get: () => 0, set: () => true, deleteProperty: () => true }),
  waitForDrain(this: Client, done: (error: null, client: Client) => void): void {
    setImmediate(done, null, this)
  },
}
