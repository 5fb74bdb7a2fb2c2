import { Fault } from "../../errors.ts"
import { MODE } from "../../session/handshake.ts"
import type { OpenBundleRecord } from "../../store/records.ts"
import { offerId, shownEnd } from "../handshake/bundles.ts"
import type { EnginePairing } from "../pairing/pairing-context.ts"
import type { Params, Results } from "../state/commands.ts"
import type { Invited, Offered } from "../state/ports.ts"
import type { Handlers } from "./handlers.ts"
import type { OpenOffer } from "../state/pairing-shapes.ts"
import { stepInput, type StepInput } from "../state/update.ts"

/** A broker lets a device hold two nameplates, and no one reads out more codes at a time. */
const CODES_MAX = 2

type Names = "pair-offer" | "device-offer" | "pair-answer" | "offers" | "pair-cancel"

/**
 * Offers live side by side, each as long as was said. Codes are kept here and end with this process; links and files are in
 * the store. Pairing is loaded on demand: most commands never pair.
 */
export class PairingCommands {
  readonly #pairing: EnginePairing
  /** By id. */
  readonly #codes = new Map<string, Offered>()
  #starting = 0
  #last: string | undefined

  constructor(pairing: EnginePairing) {
    this.#pairing = pairing
  }

  readonly handlers: Handlers<Names> = {
    "pair-offer": (params) => this.#offer(params, "person"),
    "device-offer": ({ wordCount }) => this.#offer({ kind: "code", wordCount }, "device"),
    "pair-answer": async (params) => {
      const { answerOffer } = await import("../pairing/answer.ts")
      return answerOffer(this.#pairing, params)
    },
    offers: () => Promise.resolve(this.#list()),
    "pair-cancel": async ({ id }) => {
      if (id !== undefined) return this.#cancel(id)
      const last = this.#last
      this.#last = undefined
      if (last !== undefined && this.#list().some((open) => open.id === last)) await this.#cancel(last)
      return null
    },
  }

  /** A code dies with the process that shows it; links and files are answered by any later process. */
  async close(): Promise<void> {
    await Promise.all(this.#live().map(({ cancel }) => cancel()))
  }

  async #offer(params: Params<"pair-offer">, to: Invited): Promise<Results["pair-offer"]> {
    if (params.kind === "code" && this.#live().length + this.#starting >= CODES_MAX) throw tooManyCodes()
    this.#starting += params.kind === "code" ? 1 : 0
    try {
      const { startOffer } = await import("../pairing/offer.ts")
      const offered = await startOffer(this.#pairing, params, to)
      const { offer } = offered
      if (offer.kind === "code") this.#codes.set(offer.id, offered)
      this.#last = offer.id
      return offer
    } finally {
      this.#starting -= params.kind === "code" ? 1 : 0
    }
  }

  #live(): readonly Offered[] {
    for (const [id, { isLive }] of this.#codes) if (!isLive()) this.#codes.delete(id)
    return [...this.#codes.values()]
  }

  #list(): OpenOffer[] {
    const live = this.#live().map(({ offer }) => offer)
    const input = stepInput(this.#pairing.ports)
    const kept = this.#pairing.openOffers().map((record) => describe(record, input))
    const codes = live.filter(({ id }) => !kept.some((open) => open.id === id))
    return [...codes.map(({ id, expiresAt }) => ({ ...ON_SHOW, id, expiresAt })), ...kept]
  }

  async #cancel(id: string): Promise<null> {
    const code = this.#live().find(({ offer }) => offer.id === id)
    if (code !== undefined) await code.cancel()
    else if (!(await this.#pairing.closeOffer(id))) {
      throw new Fault("not-found", `no open offer has the id ${id}`, "mqttchat pair --list")
    }
    // A command may still show it and wait.
    const reason = "this offer was ended: no one can answer it any more, and no contact was saved"
    this.#pairing.emit({ kind: "pair-failed", offer: id, reason, hint: "mqttchat pair" })
    return null
  }
}

const ON_SHOW = { kind: "code", answered: false } as const

/** The bundle of a code is kept only once the other side has proved it. */
function describe(record: OpenBundleRecord, input: StepInput): OpenOffer {
  const kind = kindOf(record.mode)
  const expiresAt = shownEnd(record, input) * 1000
  return { id: offerId(record), kind, answered: kind === "code", expiresAt }
}

function kindOf(mode: number): OpenOffer["kind"] {
  if (mode === MODE.code) return "code"
  return mode === MODE.link ? "link" : "file"
}

function tooManyCodes(): Fault {
  const why = `${CODES_MAX} codes are on offer already`
  return new Fault("refused", why, "mqttchat pair --list, then: mqttchat pair --cancel ID")
}
