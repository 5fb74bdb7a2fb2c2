import { Fault } from "../../errors.ts"
import { CODE_LIFETIME_MS, PROOF_WITHIN_MS } from "../../pairing/timeouts.ts"
import type { WordCount } from "../../pairing/code.ts"
import type { OfferEffect } from "../../pairing/offer.ts"
import type { OpenBundle } from "../../session/bundle.ts"
import { MODE } from "../../session/handshake.ts"
import { DAY_S } from "../../time-units.ts"
import type { Entry } from "../../wire/access.ts"
import { formatAddress } from "../../wire/address.ts"
import { codeFault, type CodeFailure } from "./faults.ts"
import { entryForNewcomer, freshBundle, ownBroker, requireRegistrar } from "./grant.ts"
import { mayOffer, rememberGuess } from "./rate-memory.ts"
import { drawCode, type ClaimedNameplate } from "./nameplate.ts"
import { ownConnection } from "./own-connection.ts"
import type { PairingContext, Expectation, Invited, Offered } from "../state/ports.ts"
import { guestAddressOf, membersOf } from "../connection/broker-addresses.ts"

/** The bundle outlives the code: a caller that has proved it may need a while to register. */
const BUNDLE_LIFE_S = DAY_S
const NOTHING: Entry = { kind: "none" }

/** Shows a code and lets in one caller who has it too [P-20] to [P-25]. */
export async function offerCode(context: PairingContext, words: WordCount, to: Invited): Promise<Offered> {
  const { ports } = context
  if (to === "device") requireRegistrar(context)
  const connection = await ownConnection(context)
  if (!mayOffer(context.queue.state(), ports.now())) {
    const why = "five codes failed within an hour: someone may be guessing"
    throw new Fault("refused", why, "mqttchat pair --link")
  }
  const claimed = await drawCode(ports, connection, words)
  const offer = new CodeOffer(context, { ...claimed, to })
  const expiresAt = ports.now() + CODE_LIFETIME_MS
  const address = formatAddress(guestAddressOf(ownBroker(context)))
  return {
    offer: { kind: "code", code: claimed.code.text, address, expiresAt },
    cancel: () => offer.cancel(),
  }
}

/** A code on the screen, until it is paired, failed or cancelled. */
class CodeOffer {
  readonly #context: PairingContext
  readonly #runner: ClaimedNameplate["runner"]
  readonly #to: Invited
  readonly #open: OpenBundle
  #expectation: Expectation | undefined
  /** Why the caller got no access to the broker, if that ended the offer. */
  #entryRefusal: Fault | undefined
  #over = false
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
    setHandler((effect) => {
      this.#react(effect).catch((fault: unknown) => this.#giveUp(fault))
    })
  }

  /** A caller with the grant may have answered already, and would keep a contact that does not know them [P-24]. */
  async cancel(): Promise<void> {
    await this.#runner.feed({ kind: "cancel" })
    if (this.#granted) this.#stop()
    else await this.#end()
  }

  async #react(effect: OfferEffect): Promise<void> {
    switch (effect.kind) {
      case "answered":
        return this.#grant(effect)
      case "keyed":
        this.#awaitInit()
        return
      case "failed":
        return this.#fail(effect.why)
      case "held":
      case "collision":
        return
    }
  }

  /** A guest's invitation is fetched first; the bundle is on disk before anyone learns of it. */
  async #grant({ guest, psk }: Extract<OfferEffect, { kind: "answered" }>): Promise<void> {
    const context = this.#context
    const broker = ownBroker(context)
    if (this.#to === "device" && !guest) throw isNoNewDevice()
    const entry = guest ? await this.#entry() : NOTHING
    const access = { proof: broker.trust, entry, ...(guest ? membersOf(broker) : {}) }
    if (this.#isOver()) return
    const onPaired = (): void => this.#paired()
    this.#expectation = await context.expect({ open: this.#open, mode: MODE.code, psk, onPaired })
    if (this.#isOver()) return this.#expectation.cancel()
    const bundle = this.#open.bundle.bytes
    this.#granted = true
    await this.#runner.feed({ kind: "ready", grant: { bundle, access } })
  }

  /** A caller without access is told so inside the channel. */
  async #entry(): Promise<Entry> {
    try {
      return await entryForNewcomer(this.#context, this.#to)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      this.#entryRefusal = fault
      return NOTHING
    }
  }

  /** A method, since a field that changes during an await looks constant to the compiler. */
  #isOver(): boolean {
    return this.#over
  }

  /** The caller has the code and all it needs; only its answer may take long now. */
  #awaitInit(): void {
    const { ports, emit } = this.#context
    this.#cancelTimeout = ports.after(PROOF_WITHIN_MS, () => {
      this.#runner.stop()
      const reason = "the other side has the code and did not finish; it still can for a day"
      emit({ kind: "pair-failed", reason, hint: "leave mqttchat running, or: mqttchat pair" })
    })
  }

  #paired(): void {
    void this.#runner.feed({ kind: "paired" })
    this.#stop()
  }

  async #fail(why: CodeFailure): Promise<void> {
    const { ports, queue } = this.#context
    if (why !== "expired") await queue.run((state) => rememberGuess(state, ports.now()))
    await this.#emitFailure(this.#entryRefusal ?? codeFault(why))
  }

  /** A failure on our side, not of the code: the caller is still told that this attempt is over. */
  async #giveUp(fault: unknown): Promise<void> {
    if (!(fault instanceof Fault)) throw fault
    await this.#runner.feed({ kind: "cancel" })
    await this.#emitFailure(fault)
  }

  async #emitFailure({ message, hint }: Fault): Promise<void> {
    if (this.#over) return
    await this.#end()
    this.#context.emit({ kind: "pair-failed", reason: message, hint: hint ?? "mqttchat pair" })
  }

  /** Removes all of a failed offer: bundle, secrets and mailbox. */
  async #end(): Promise<void> {
    this.#stop()
    await this.#expectation?.cancel()
  }

  #stop(): void {
    this.#over = true
    this.#cancelTimeout()
    this.#runner.stop()
  }
}

function isNoNewDevice(): Fault {
  const why = "that laptop is at this broker already, so it cannot become a device of yours"
  return new Fault("refused", why, "use a new profile there, or: mqttchat pair")
}
