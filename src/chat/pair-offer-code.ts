import { Fault } from "../errors.ts"
import { CODE_LIFETIME_MS, PROOF_WITHIN_MS } from "../pairing/clock.ts"
import { makeCode, type PairingCode, type WordCount } from "../pairing/code.ts"
import {
  beginOffer,
  type OfferEvent,
  type Offering,
  offerStep,
  type OfferTold,
  offerWakesAt,
} from "../pairing/offer.ts"
import { MODE } from "../session/handshake.ts"
import { pairingTopic } from "../wire/topics.ts"
import { codeFault } from "./pair-faults.ts"
import { entryForNewcomer, freshBundle, ownBroker } from "./pair-grant.ts"
import { mayOffer, type PairMemory, readPairMemory, rememberGuess } from "./pair-memory.ts"
import { ownLine } from "./pair-place.ts"
import { openTalk, type Machine, type Talk } from "./pair-talk.ts"
import type { Desk, Expectation, Line, Offered } from "./ports.ts"

/** Of 9999 nameplates a draw meets a used one rarely, and five times in a row only where somebody holds them all. */
const DRAWS_MAX = 5
/** The bundle outlives the code: a caller that proved it may need a while to register. */
const BUNDLE_LIFE_S = 24 * 60 * 60

const OFFER: Machine<Offering, OfferEvent, OfferTold> = { step: offerStep, wakesAt: offerWakesAt }

/** A nameplate that is ours; `hear` says who listens to what its machine tells. */
type Held = {
  readonly code: PairingCode
  readonly talk: Talk<Offering, OfferEvent>
  readonly hear: (onTold: (told: OfferTold) => void) => void
}

/** Shows a code and lets one caller with the same code in [P-20] to [P-25]. */
export async function offerCode(desk: Desk, words: WordCount): Promise<Offered> {
  const { ports } = desk
  const line = await ownLine(desk)
  const memory = await readPairMemory(ports.store)
  if (!mayOffer(memory, ports.now())) {
    throw new Fault(
      "refused",
      "five codes failed within the hour: somebody may be guessing",
      "mqttchat pair --link",
    )
  }
  const held = await drawCode(desk, line, words)
  const cancel = attend(desk, held, memory)
  const expiresAt = ports.now() + CODE_LIFETIME_MS
  return { offer: { by: "code", code: held.code.text, expiresAt }, cancel }
}

async function drawCode(desk: Desk, line: Line, words: WordCount): Promise<Held> {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const held = await hold(desk, line, makeCode(words, desk.ports.random))
    if (held !== undefined) return held
  }
  throw new Fault("unavailable", "every code that was tried is in use at this broker", "mqttchat pair --link")
}

/** Claims the nameplate of a code, or undefined where somebody else holds it [P-21]. */
async function hold({ ports }: Desk, line: Line, code: PairingCode): Promise<Held | undefined> {
  let onTold: (told: OfferTold) => void = () => undefined
  const answered = new Promise<OfferTold>((resolve) => (onTold = resolve))
  const { next, send } = beginOffer(code, ports.random)
  const booth = { ports, line, nameplate: code.nameplate }
  const talk = await openTalk(booth, OFFER, next, (told) => onTold(told))
  try {
    for (const ask of send) await line.publish(pairingTopic(code.nameplate), ask)
    await talk.feed({ kind: "asked" })
    const told = await answered
    if (told.kind === "held") return { code, talk, hear: (react) => (onTold = react) }
  } catch (fault) {
    talk.leave()
    throw fault
  }
  talk.leave()
  return undefined
}

/** Waits for the caller; the returned function takes everything back. */
function attend(desk: Desk, { talk, hear }: Held, memory: PairMemory): () => Promise<void> {
  const { ports, tell } = desk
  const open = freshBundle(desk, BUNDLE_LIFE_S)
  let expectation: Expectation | undefined
  let over = false
  let cancelPatience = (): void => undefined

  const ended = (): boolean => over

  async function end(): Promise<void> {
    over = true
    cancelPatience()
    talk.leave()
    await expectation?.withdraw()
  }

  async function fail(fault: Fault): Promise<void> {
    if (over) return
    await end()
    tell({ event: "pair-failed", why: fault.message, hint: fault.hint ?? "mqttchat pair" })
  }

  /** The bundle is on disk before anybody learns of it; a guest's invitation is fetched first. */
  async function prepare({ guest, psk }: Extract<OfferTold, { kind: "answered" }>): Promise<void> {
    const { trust } = ownBroker(desk)
    const entry = guest ? await entryForNewcomer(desk) : ({ kind: "none" } as const)
    if (ended()) return
    expectation = await desk.expect({ open, mode: MODE.code, psk, onPaired })
    await talk.feed({ kind: "ready", grant: { bundle: open.bundle.bytes, access: { proof: trust, entry } } })
    if (ended()) await expectation.withdraw()
  }

  function onPaired(): void {
    void talk.feed({ kind: "paired" }).then(end)
  }

  /** The caller has the code and all it needs; only the way to us can be long now. */
  function beforeInit(): void {
    cancelPatience = ports.after(PROOF_WITHIN_MS, () => {
      talk.leave()
      const why = "the other side has the code and did not finish; it still can for a day"
      tell({ event: "pair-failed", why, hint: "leave mqttchat running, or: mqttchat pair" })
    })
  }

  async function react(told: OfferTold): Promise<void> {
    switch (told.kind) {
      case "answered":
        return prepare(told)
      case "keyed":
        beforeInit()
        return
      case "failed":
        if (told.why !== "expired") await ports.store.commit([rememberGuess(memory, ports.now())])
        return fail(codeFault(told.why))
      case "held":
      case "collision":
        return
    }
  }

  hear((told) => {
    react(told).catch(async (fault: unknown) => {
      if (!(fault instanceof Fault)) throw fault
      await talk.feed({ kind: "cancel" })
      await fail(fault)
    })
  })
  return async () => {
    await talk.feed({ kind: "cancel" })
    await end()
  }
}
