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
import { readOfferedBundle, awaitWelcome } from "./complete.ts"
import { codeFault } from "./faults.ts"
import { isDead, rememberDead } from "./rate-memory.ts"
import { checkPin, chooseBroker, type BrokerChoice, joinWithAccess } from "./broker-choice.ts"
import { brokerName } from "./own-connection.ts"
import { runMachine, type Machine, type MachineRunner } from "./machine-runner.ts"
import type { PairingContext, Paired } from "../state/ports.ts"
import { deferred } from "../../async/deferred.ts"

const ANSWER: Machine<AnswerState, AnswerEvent, AnswerEffect> = { step: answerStep, wakesAt: answerWakesAt }

type Keyed = Extract<AnswerEffect, { kind: "keyed" }>
type Exchange = { readonly runner: MachineRunner<AnswerState, AnswerEvent>; readonly effect: AnswerEffect }

/** Exchanges keys with the side that shows this code. A failure before the handshake leaves no trace. */
export async function answerCode(context: PairingContext, carrier: string): Promise<Paired> {
  const { code, at } = readCode(carrier)
  const { queue } = context
  if (isDead(queue.state(), code)) throw codeFault("mismatch")
  const choice = await chooseBroker(context, at)
  try {
    const { runner, effect } = await exchange(context, choice, code)
    if (effect.kind === "keyed") return await finish(context, { choice, code, runner, keyed: effect })
    if (effect.why === "mismatch") await queue.run((state) => rememberDead(state, code))
    throw codeFault(effect.why)
  } finally {
    if (choice.kind === "newcomer") await choice.connection.close()
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

/** Runs the exchange until it has a key or fails. */
async function exchange(
  { ports }: PairingContext,
  choice: BrokerChoice,
  code: PairingCode,
): Promise<Exchange> {
  const { connection, kind } = choice
  const answered = deferred<AnswerEffect>()
  const { next, send } = beginAnswer(code, kind === "newcomer", ports.random)
  const runner = await runMachine(
    { ports, connection, nameplate: code.nameplate },
    ANSWER,
    next,
    answered.resolve,
  )
  try {
    for (const ask of send) await connection.publish(pairingTopic(code.nameplate), ask)
    await runner.feed({ kind: "asked" })
    const outcome = await answered.promise
    if (outcome.kind === "failed") runner.stop()
    return { runner, effect: outcome }
  } catch (fault) {
    runner.stop()
    throw fault
  }
}

type Finish = {
  readonly choice: BrokerChoice
  readonly code: PairingCode
  readonly runner: MachineRunner<AnswerState, AnswerEvent>
  readonly keyed: Keyed
}

/** Checks the broker, joins it if needed, proves the code and does the handshake [P-15]. */
async function finish(context: PairingContext, { choice, code, runner, keyed }: Finish): Promise<Paired> {
  const { psk, grant } = keyed
  let proven: MachineRunner<AnswerState, AnswerEvent> | undefined
  try {
    checkPin(choice.connection, grant.access.proof, brokerNameOf(context, choice))
    const bundle = readOfferedBundle(context, grant.bundle)
    if (choice.kind === "newcomer") {
      await joinWithAccess(context, choice.address, grant.access)
      const channel = { ports: context.ports, connection: context.connection(), nameplate: code.nameplate }
      proven = await runMachine(channel, ANSWER, runner.state(), () => undefined)
    }
    const proving = (proven ?? runner).feed({ kind: "pinned" })
    const initiated = await context.initiate({ bundle, mode: MODE.code, psk, inbox: context.newInbox() })
    await proving
    return await awaitWelcome(context, initiated)
  } catch (fault) {
    await runner.feed({ kind: "cancel" })
    throw fault
  } finally {
    runner.stop()
    proven?.stop()
  }
}

function brokerNameOf(context: PairingContext, choice: BrokerChoice): string {
  return choice.kind === "newcomer" ? formatAddress(choice.address) : brokerName(context)
}
