import { Fault } from "../../errors.ts"
import type { OfferEffect } from "../../pairing/offer.ts"
import { FINISH_WITHIN_MS } from "../../pairing/timeouts.ts"
import type { OpenBundle } from "../../session/bundle.ts"
import { MODE } from "../../session/handshake.ts"
import { DAY_S } from "../../time-units.ts"
import type { Entry } from "../../wire/access.ts"
import { membersOf } from "../connection/broker-addresses.ts"
import { offerId } from "../handshake/bundles.ts"
import type { Expectation, Invited, PairingContext } from "../state/ports.ts"
import { codeFault } from "./faults.ts"
import { entryForNewcomer, freshBundle, ownBroker } from "./grant.ts"
import type { ClaimedNameplate } from "./nameplate.ts"
import { rememberGuess } from "./rate-memory.ts"

/** The bundle outlives the code: a caller that has proved it may need a while to register. */
const BUNDLE_LIFE_S = DAY_S
const NOTHING: Entry = { kind: "none" }

type Effect<Kind extends OfferEffect["kind"]> = Extract<OfferEffect, { kind: Kind }>

/** A code on the screen, until it is paired, failed or cancelled. */
export class CodeOffer {
  readonly id: string
  readonly #context: PairingContext
  readonly #runner: ClaimedNameplate["runner"]
  readonly #to: Invited
  readonly #open: OpenBundle
  #expectation: Expectation | undefined
  /** Why the caller got no access to the broker, if that ended the offer. */
  #entryRefusal: Fault | undefined
  #over = false
  /** The caller can answer: what it needs for that is on its way. */
  #granted = false
  #cancelTimeout = (): void => undefined

  constructor(
    context: PairingContext,
    { runner, setHandler, to }: ClaimedNameplate & { readonly to: Invited },
  ) {
    this.#context = context
    this.#to = to
    this.#runner = runner
    this.#open = freshBundle(context, BUNDLE_LIFE_S)
    this.id = offerId(this.#open.bundle.inbox)
    setHandler((effect) => {
      this.#react(effect).catch((fault: unknown) => this.#giveUp(fault))
    })
  }

  isLive(): boolean {
    return !this.#over
  }

  async cancel(): Promise<void> {
    await this.#runner.feed({ kind: "cancel" })
    await this.#end()
  }

  async #react(effect: OfferEffect): Promise<void> {
    switch (effect.kind) {
      case "answered":
        return this.#count(effect)
      case "guessed":
        this.#context.emit({ kind: "pair-guessed", offer: this.id, left: effect.left })
        return
      case "proved":
        return this.#grant(effect)
      case "failed":
        return this.#emitFailure(this.#entryRefusal ?? codeFault(effect.why))
      case "held":
      case "collision":
        return
    }
  }

  /** On disk before the answer to it leaves: whatever ends this process, the guess was one [P-25]. */
  async #count({ caller, share }: Effect<"answered">): Promise<void> {
    const { ports, queue, emit } = this.#context
    emit({ kind: "pair-answered", offer: this.id })
    await queue.run((state) => rememberGuess(state, { share, at: ports.now() }))
    await this.#runner.feed({ kind: "counted", caller })
  }

  /** A guest's invitation is fetched first; the bundle is on disk before anyone learns of it. */
  async #grant({ guest, psk, share }: Effect<"proved">): Promise<void> {
    const context = this.#context
    const broker = ownBroker(context)
    if (this.#to === "device" && !guest) throw isNoNewDevice()
    const entry = guest ? await this.#entry() : NOTHING
    const access = { proof: broker.trust, entry, ...(guest ? membersOf(broker) : {}) }
    if (!this.isLive()) return
    const onPaired = (): void => this.#stop()
    const expected = { open: this.#open, mode: MODE.code, psk, proved: share, onPaired }
    this.#expectation = await context.expect(expected)
    if (!this.isLive()) return this.#expectation.cancel()
    const refusal = this.#entryRefusal
    this.#granted = refusal === undefined
    await this.#runner.feed({ kind: "ready", grant: { bundle: this.#open.bundle.bytes, access } })
    if (refusal === undefined) this.#awaitInit()
    else await this.#emitFailure(refusal)
  }

  /** A caller without access is told so inside the channel. */
  async #entry(): Promise<Entry> {
    try {
      const entry = await entryForNewcomer(this.#context, this.#to)
      if (entry.kind === "none") this.#entryRefusal = hasNoAccessToGive()
      return entry
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      this.#entryRefusal = fault
      return NOTHING
    }
  }

  /** The caller has the code and all it needs; only its first message may take long now. */
  #awaitInit(): void {
    const { ports, emit } = this.#context
    if (!this.isLive()) return
    this.#cancelTimeout = ports.after(FINISH_WITHIN_MS, () => {
      this.#stop()
      const reason = "the other side has the code and did not finish; it still can for a day"
      emit({ kind: "pair-failed", offer: this.id, reason, hint: "leave mqttchat running, or: mqttchat pair" })
    })
  }

  /** A failure on our side, not of the code: the caller is still told that this attempt is over. */
  async #giveUp(fault: unknown): Promise<void> {
    if (!(fault instanceof Fault)) throw fault
    await this.#runner.feed({ kind: "cancel" })
    await this.#emitFailure(fault)
  }

  async #emitFailure({ message, hint }: Fault): Promise<void> {
    if (!this.isLive()) return
    await this.#end()
    const outcome = { offer: this.id, reason: message, hint: hint ?? "mqttchat pair" }
    this.#context.emit({ kind: "pair-failed", ...outcome })
  }

  /**
   * Removes all of a failed offer: bundle, secrets and mailbox. But a caller with the grant may have answered already,
   * and would keep a contact that does not know them [P-24].
   */
  async #end(): Promise<void> {
    this.#stop()
    if (!this.#granted) await this.#expectation?.cancel()
  }

  #stop(): void {
    this.#over = true
    this.#cancelTimeout()
    this.#runner.stop()
  }
}

function hasNoAccessToGive(): Fault {
  const why = "the code was right, but your own account at the broker is not passed on; no contact was saved"
  return new Fault("refused", why, "get them an account of their own, then: mqttchat pair")
}

function isNoNewDevice(): Fault {
  const why = "that laptop is at this broker already, so it cannot become a device of yours"
  return new Fault("refused", why, "use a new profile there, or: mqttchat pair")
}
