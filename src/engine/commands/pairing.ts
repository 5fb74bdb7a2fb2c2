import type { Params, Results } from "../state/commands.ts"
import type { Invited, Offered, PairingContext } from "../state/ports.ts"
import type { Handlers } from "./handlers.ts"

/** One offer at a time: a new one replaces the last. Pairing is loaded on demand: most commands never pair. */
export class PairingCommands {
  readonly #context: PairingContext
  #offered: Offered | undefined

  constructor(context: PairingContext) {
    this.#context = context
  }

  readonly handlers: Handlers<"pair-offer" | "device-offer" | "pair-answer" | "pair-cancel"> = {
    "pair-offer": (params) => this.#offer(params, "person"),
    "device-offer": ({ wordCount }) => this.#offer({ kind: "code", wordCount }, "device"),
    "pair-answer": async (params) => {
      const { answerOffer } = await import("../pairing/answer.ts")
      return answerOffer(this.#context, params)
    },
    "pair-cancel": () => this.#cancel(),
  }

  /** A code dies with the process that shows it; links and files are answered by any later process. */
  async close(): Promise<void> {
    if (this.#offered?.offer.kind === "code") await this.#cancel()
  }

  async #offer(params: Params<"pair-offer">, to: Invited): Promise<Results["pair-offer"]> {
    await this.#cancel()
    const { startOffer } = await import("../pairing/offer.ts")
    this.#offered = await startOffer(this.#context, params, to)
    return this.#offered.offer
  }

  async #cancel(): Promise<null> {
    const offered = this.#offered
    this.#offered = undefined
    await offered?.cancel()
    return null
  }
}
