import { Aedes, type AedesOptions, type Client, type PublishPacket } from "aedes"

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
