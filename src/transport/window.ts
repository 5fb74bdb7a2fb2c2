import { Fault } from "../errors.ts"

/** Mosquitto drops or disconnects beyond its own window, and a longer one gains nothing on a fast link. */
export const IN_FLIGHT_MAX = 10

type Job = {
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
  readonly #waiting: Job[] = []
  readonly #underWay = new Set<Job>()
  #ended: Fault | undefined

  constructor(send: SendNow, width: number) {
    this.#send = send
    this.#width = width
  }

  publish(topic: string, payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, resolve, reject })
      this.#pump()
    })
  }

  /** The connection is gone: nobody knows whether what is under way arrived. */
  end(why: Fault): void {
    this.#ended = why
    const lost = [...this.#underWay, ...this.#waiting.splice(0)]
    this.#underWay.clear()
    for (const job of lost) job.reject(why)
  }

  #pump(): void {
    if (this.#ended !== undefined) {
      this.end(this.#ended)
      return
    }
    while (this.#underWay.size < this.#width) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      this.#underWay.add(job)
      this.#send(job.topic, job.payload, (refusal) => this.#done(job, refusal))
    }
  }

  #done(job: Job, refusal: Fault | undefined): void {
    if (!this.#underWay.delete(job)) return
    if (refusal === undefined) job.resolve()
    else job.reject(refusal)
    this.#pump()
  }
}
