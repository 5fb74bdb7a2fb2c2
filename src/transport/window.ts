import { Fault } from "../errors.ts"

/** Mosquitto drops or disconnects beyond its own window, and a longer one gains nothing on a fast link. */
export const IN_FLIGHT_MAX = 10

type PendingPublish = {
  readonly topic: string
  readonly payload: Uint8Array
  readonly resolve: () => void
  readonly reject: (fault: Fault) => void
}

export type SendNow = (topic: string, payload: Uint8Array, done: (refusal: Fault | undefined) => void) => void

/** The publishes of one connection, in order: a few under way, the rest waiting for their PUBACKs. */
export class Window {
  readonly #send: SendNow
  readonly #width: number
  readonly #waiting: PendingPublish[] = []
  readonly #inFlight = new Set<PendingPublish>()
  #ended: Fault | undefined

  constructor(send: SendNow, width: number) {
    this.#send = send
    this.#width = width
  }

  publish(topic: string, payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, resolve, reject })
      this.#flush()
    })
  }

  isWaiting(): boolean {
    return this.#inFlight.size > 0
  }

  /** The connection is gone: it is unknown whether messages under way arrived. Only they may have been why it ended. */
  end(why: Fault): void {
    this.#ended = why
    const underWay = [...this.#inFlight]
    const waiting = this.#waiting.splice(0)
    this.#inFlight.clear()
    for (const pending of underWay) pending.reject(why)
    for (const pending of waiting) pending.reject(new Fault(why.code, why.message, why.hint))
  }

  #flush(): void {
    if (this.#ended !== undefined) {
      this.end(this.#ended)
      return
    }
    while (this.#inFlight.size < this.#width) {
      const pending = this.#waiting.shift()
      if (pending === undefined) return
      this.#inFlight.add(pending)
      this.#send(pending.topic, pending.payload, (refusal) => this.#done(pending, refusal))
    }
  }

  #done(pending: PendingPublish, refusal: Fault | undefined): void {
    if (!this.#inFlight.delete(pending)) return
    if (refusal === undefined) pending.resolve()
    else pending.reject(refusal)
    this.#flush()
  }
}
