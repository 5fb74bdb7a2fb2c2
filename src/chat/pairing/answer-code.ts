import { Fault } from "../../errors.ts"
import {
  type AnswerState,
  type AnswerEvent,
  answerStep,
  type AnswerEffect,
  answerWakesAt,
  beginAnswer,
} from "../../pairing/answer.ts"
import { parseCode, type PairingCode } from "../../pairing/code.ts"
import { MODE } from "../../session/handshake.ts"
import type { Address } from "../../wire/address.ts"
import { formatAddress } from "../../wire/address.ts"
import { pairingTopic } from "../../wire/topics.ts"
import { readOffered, welcome } from "./finish.ts"
import { codeFault } from "./faults.ts"
import { isDead, readPairMemory, rememberDead } from "./memory.ts"
import { brokerName, checkPin, findPlace, type Place, settleAt } from "./place.ts"
import { openTalk, type Machine, type Talk } from "./talk.ts"
import type { Desk, Paired } from "../ports.ts"

const ANSWER: Machine<AnswerState, AnswerEvent, AnswerEffect> = { step: answerStep, wakesAt: answerWakesAt }

type Keyed = Extract<AnswerEffect, { kind: "keyed" }>
type Exchange = { readonly talk: Talk<AnswerState, AnswerEvent>; readonly told: AnswerEffect }

/** Exchanges keys with whoever shows this code. Everything that fails before the handshake leaves no trace. */
export async function answerCode(desk: Desk, carrier: string): Promise<Paired> {
  const { code, at } = readCode(carrier)
  const memory = await readPairMemory(desk.ports.store)
  if (isDead(memory, code)) throw codeFault("mismatch")
  const place = await findPlace(desk, at)
  try {
    const { talk, told } = await exchange(desk, place, code)
    if (told.kind === "keyed") return await finish(desk, { place, code, talk, keyed: told })
    if (told.why === "mismatch") await desk.ports.store.commit([rememberDead(memory, code)])
    throw codeFault(told.why)
  } finally {
    if (place.kind === "newcomer") await place.line.close()
  }
}

function readCode(carrier: string): { code: PairingCode; at: Address | undefined } {
  const parsed = parseCode(carrier)
  if (parsed.kind === "code") return parsed
  const { why, suggestion } = parsed
  throw new Fault(
    "usage",
    why,
    suggestion === undefined ? "mqttchat pair CODE@HOST" : `mqttchat pair ${suggestion}`,
  )
}

/** Runs the exchange up to the key, or to its failure. */
async function exchange({ ports }: Desk, place: Place, code: PairingCode): Promise<Exchange> {
  const { line, kind } = place
  let onTold: (told: AnswerEffect) => void = () => undefined
  const told = new Promise<AnswerEffect>((resolve) => (onTold = resolve))
  const { next, send } = beginAnswer(code, kind === "newcomer", ports.random)
  const talk = await openTalk({ ports, line, nameplate: code.nameplate }, ANSWER, next, onTold)
  try {
    for (const ask of send) await line.publish(pairingTopic(code.nameplate), ask)
    await talk.feed({ kind: "asked" })
    const outcome = await told
    if (outcome.kind === "failed") talk.leave()
    return { talk, told: outcome }
  } catch (fault) {
    talk.leave()
    throw fault
  }
}

type Finish = {
  readonly place: Place
  readonly code: PairingCode
  readonly talk: Talk<AnswerState, AnswerEvent>
  readonly keyed: Keyed
}

/** Checks the broker, becomes a member of it where need be, proves the code and shakes hands [P-15]. */
async function finish(desk: Desk, { place, code, talk, keyed }: Finish): Promise<Paired> {
  const { psk, grant } = keyed
  let proven: Talk<AnswerState, AnswerEvent> | undefined
  try {
    checkPin(place.line, grant.access.proof, placeName(desk, place))
    const bundle = readOffered(desk, grant.bundle)
    if (place.kind === "newcomer") {
      await settleAt(desk, place.address, grant.access)
      const booth = { ports: desk.ports, line: desk.line(), nameplate: code.nameplate }
      proven = await openTalk(booth, ANSWER, talk.state(), () => undefined)
    }
    const proving = (proven ?? talk).feed({ kind: "pinned" })
    const initiated = await desk.initiate({ bundle, mode: MODE.code, psk, inbox: desk.newInbox() })
    await proving
    return await welcome(desk, initiated)
  } catch (fault) {
    await talk.feed({ kind: "cancel" })
    throw fault
  } finally {
    talk.leave()
    proven?.leave()
  }
}

function placeName(desk: Desk, place: Place): string {
  return place.kind === "newcomer" ? formatAddress(place.address) : brokerName(desk)
}
