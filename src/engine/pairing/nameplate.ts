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
import { runMachine, type Machine, type MachineRunner } from "./machine-runner.ts"
import type { Connection, Ports } from "../state/ports.ts"

/** Of 9999 nameplates a draw rarely hits a used one, and five in a row only if an attacker holds them all. */
const DRAWS_MAX = 5

const OFFER: Machine<OfferState, OfferEvent, OfferEffect> = { step: offerStep, wakesAt: offerWakesAt }

/** A nameplate that is ours; `hear` sets the listener of its machine's effects. */
export type ClaimedNameplate = {
  readonly code: PairingCode
  readonly runner: MachineRunner<OfferState, OfferEvent>
  readonly setHandler: (onEffect: (effect: OfferEffect) => void) => void
}

/** Draws codes until a nameplate is free [P-21]. Faults `unavailable` when five are taken or the connection is lost. */
export async function drawCode(
  ports: Ports,
  connection: Connection,
  words: WordCount,
): Promise<ClaimedNameplate> {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const claimed = await claim(ports, connection, makeCode(words, ports.random))
    if (claimed !== undefined) return claimed
  }
  throw new Fault("unavailable", "every code that was tried is in use at this broker", "mqttchat pair --link")
}

/** Claims the nameplate of a code, or undefined if it is taken. */
async function claim(
  ports: Ports,
  connection: Connection,
  code: PairingCode,
): Promise<ClaimedNameplate | undefined> {
  let onEffect: (effect: OfferEffect) => void = () => undefined
  const answered = new Promise<OfferEffect>((resolve) => (onEffect = resolve))
  const { next, send } = beginOffer(code, ports.random)
  const channel = { ports, connection, nameplate: code.nameplate }
  const runner = await runMachine(channel, OFFER, next, (effect) => onEffect(effect))
  try {
    for (const ask of send) await connection.publish(pairingTopic(code.nameplate), ask)
    await runner.feed({ kind: "asked" })
    const effect = await answered
    if (effect.kind === "held") return { code, runner, setHandler: (react) => (onEffect = react) }
  } catch (fault) {
    runner.stop()
    throw fault
  }
  runner.stop()
  return undefined
}
