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
import { mayTry, rememberTry, strikeTry } from "./rate-memory.ts"
import { checkPin, chooseBroker, type BrokerChoice, joinWithAccess } from "./broker-choice.ts"
import { brokerName } from "./own-connection.ts"
import { runMachine, type Machine, type MachineRunner } from "./machine-runner.ts"
import { checkTransport, type TransportChoice } from "./transport-choice.ts"
import type { PairingContext, Paired, PairingMark } from "../state/ports.ts"
import { deferred } from "../../async/deferred.ts"
import { shellCommand } from "../../shell-command.ts"

const ANSWER: Machine<AnswerState, AnswerEvent, AnswerEffect> = { step: answerStep, wakesAt: answerWakesAt }

type Proved = Extract<AnswerEffect, { kind: "proved" }>
type Exchange = {
  readonly runner: MachineRunner<AnswerState, AnswerEvent>
  readonly effect: Exclude<AnswerEffect, { kind: "keyed" }>
}

/** Exchanges keys with the side that shows this code. A failure before the handshake leaves no trace. */
export async function answerCode(
  context: PairingContext,
  carrier: string,
  transport: TransportChoice,
): Promise<Paired> {
  const { code, at } = readCode(carrier)
  if (!mayTry(context.queue.state(), code)) throw codeFault("mismatch")
  const since = context.mark()
  const choice = await chooseBroker(context, at, transport)
  try {
    const { runner, effect } = await exchange(context, choice, code)
    if (effect.kind === "failed") throw codeFault(effect.why)
    return await finish(context, { choice, code, runner, proved: effect, transport, since })
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
    suggestion === undefined ? "mqttchat pair CODE@HOST" : shellCommand`mqttchat pair ${suggestion}`,
  )
}

/** Runs the exchange until the owner has proved the code, or it fails. */
async function exchange(
  { ports, queue }: PairingContext,
  { connection, kind }: BrokerChoice,
  code: PairingCode,
): Promise<Exchange> {
  const ended = deferred<Exchange["effect"]>()
  const { next, send } = beginAnswer(code, kind === "newcomer", ports.random)
  const channel = { ports, connection, nameplate: code.nameplate }
  const runner = await runMachine(channel, ANSWER, next, (effect) => {
    if (effect.kind === "keyed") count().catch(ended.reject)
    else ended.resolve(effect)
  })

  /** On disk before our proof leaves: an owner who guessed the code learns from it that the guess was right [P-25]. */
  async function count(): Promise<void> {
    if (!(await queue.run((state) => rememberTry(state, code)))) throw codeFault("mismatch")
    await runner.feed({ kind: "counted" })
  }

  try {
    for (const ask of send) await connection.publish(pairingTopic(code.nameplate), ask)
    await runner.feed({ kind: "asked" })
    const effect = await ended.promise
    if (effect.kind === "failed") runner.stop()
    return { runner, effect }
  } catch (fault) {
    await runner.feed({ kind: "cancel" })
    runner.stop()
    throw fault
  }
}

type Finish = {
  readonly choice: BrokerChoice
  readonly code: PairingCode
  readonly runner: MachineRunner<AnswerState, AnswerEvent>
  readonly proved: Proved
  readonly transport: TransportChoice
  readonly since: PairingMark
}

/** Checks the broker, joins it if needed, and does the handshake there [P-15]. A contact that is kept finishes by itself. */
async function finish(context: PairingContext, pairing: Finish): Promise<Paired> {
  const { choice, code, runner, proved, transport, since } = pairing
  const { psk, grant } = proved
  let isKept = false
  try {
    await context.queue.run((state) => strikeTry(state, code))
    if (choice.kind === "newcomer") checkTransport(grant.access.proof, transport)
    checkPin(choice.connection, grant.access.proof, brokerNameOf(context, choice))
    const bundle = readOfferedBundle(context, grant.bundle)
    if (choice.kind === "newcomer")
      await joinWithAccess(context, choice.address, grant.access, transport.timeoutMs)
    const inbox = context.newInbox()
    isKept = true
    const initiated = await context.initiate({ bundle, mode: MODE.code, psk, inbox, since })
    return await awaitWelcome(context, initiated)
  } catch (fault) {
    if (!isKept) await runner.feed({ kind: "cancel" })
    throw fault
  } finally {
    runner.stop()
  }
}

function brokerNameOf(context: PairingContext, choice: BrokerChoice): string {
  return choice.kind === "newcomer" ? formatAddress(choice.address) : brokerName(context)
}
