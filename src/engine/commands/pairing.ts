import type { Params, Results } from "../api.ts"
import type { AnswerOffer, PairingContext, Invited, Offered, StartOffer } from "../state/ports.ts"

export type PairingDrivers = { readonly startOffer: StartOffer; readonly answerOffer: AnswerOffer }

/** One offer at a time: a second one takes the place of the first. */
export class PairingCommands {
  readonly #context: PairingContext
  readonly #drivers: PairingDrivers
  #offered: Offered | undefined

  constructor(context: PairingContext, drivers: PairingDrivers) {
    this.#context = context
    this.#drivers = drivers
  }

  async offer(params: Params<"pair-offer">, to: Invited): Promise<Results["pair-offer"]> {
    await this.cancel()
    this.#offered = await this.#drivers.startOffer(this.#context, params, to)
    return this.#offered.offer
  }

  answer(params: Params<"pair-answer">): Promise<Results["pair-answer"]> {
    return this.#drivers.answerOffer(this.#context, params)
  }

  async cancel(): Promise<null> {
    const offered = this.#offered
    this.#offered = undefined
    await offered?.cancel()
    return null
  }

  /** A code dies with the process that shows it; links and files are answered by any later one. */
  async close(): Promise<void> {
    if (this.#offered?.offer.by === "code") await this.cancel()
  }
}
