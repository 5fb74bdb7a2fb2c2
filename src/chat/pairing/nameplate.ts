import { Fault } from "../../errors.ts"
import { makeCode, type PairingCode, type WordCount } from "../../pairing/code.ts"
import {
  beginOffer,
  type OfferEvent,
  type OfferState,
  offerStep,
  type OfferEffect,
  offerWakesAt,
} from "../../pairing/offer.ts"
import { pairingTopic } from "../../wire/topics.ts"
import { openTalk, type Machine, type Talk } from "./talk.ts"
import type { Line, Ports } from "../ports.ts"

/** Of 9999 nameplates a draw meets a used one rarely, and five times in a row only where somebody holds them all. */
const DRAWS_MAX = 5

const OFFER: Machine<OfferState, OfferEvent, OfferEffect> = { step: offerStep, wakesAt: offerWakesAt }

/** A nameplate that is ours; `hear` says who listens to what its machine tells. */
export type Held = {
  readonly code: PairingCode
  readonly talk: Talk<OfferState, OfferEvent>
  readonly hear: (onTold: (told: OfferEffect) => void) => void
}

/** Draws codes until a nameplate is free [P-21]. Faults `unavailable` when five are taken or the link is lost. */
export async function drawCode(ports: Ports, line: Line, words: WordCount): Promise<Held> {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const held = await hold(ports, line, makeCode(words, ports.random))
    if (held !== undefined) return held
  }
  throw new Fault("unavailable", "every code that was tried is in use at this broker", "mqttchat pair --link")
}

/** Claims the nameplate of a code, or undefined where somebody else holds it. */
async function hold(ports: Ports, line: Line, code: PairingCode): Promise<Held | undefined> {
  let onTold: (told: OfferEffect) => void = () => undefined
  const answered = new Promise<OfferEffect>((resolve) => (onTold = resolve))
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
