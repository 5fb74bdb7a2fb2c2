import { Aedes, type AedesOptions, type Client, type PublishPacket } from "aedes"

type Done = (error?: Error) => void

/** Aedes, but for the messages that a queue brings: routing them once more would cost as much again and end in nothing. */
export class Router extends Aedes {
  readonly #isCarried: (packet: PublishPacket) => boolean

  constructor(options: AedesOptions, isCarried: (packet: PublishPacket) => boolean) {
    super(options)
    this.#isCarried = isCarried
  }

  /** Called after PUBACK; aedes names the sender between packet and callback. */
  override publish(packet: PublishPacket, ...rest: [Done] | [Client | null, Done]): void {
    const done = rest.at(-1)
    if (typeof done === "function" && this.#isCarried(packet)) setImmediate(done)
    else super.publish(packet, ...(rest as [Done]))
  }
}
