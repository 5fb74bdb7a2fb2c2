import { Fault } from "../../errors.ts"
import { readBundle } from "../../session/bundle.ts"
import { shellCommand } from "../../shell-command.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord } from "../../store/records.ts"
import { refuseReplaced } from "../connection/replaced-device.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { devicesOf } from "../contacts/devices.ts"
import { afterEvent, isUnderWay } from "../contacts/introduction-policy.ts"
import { describeIntroduction, findQuestion } from "../contacts/introductions.ts"
import { bundleRecord } from "../handshake/bundles.ts"
import { findAnswerable, introductionBundle, introductionSecret } from "../handshake/introduced.ts"
import { decideIntroduction, sealForAll, yesFrame } from "../messages/introduce.ts"
import type { Results } from "../state/commands.ts"
import type { Decision } from "../state/decision.ts"
import { toJointDecision } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { refuseUnsendable } from "../state/send-gate.ts"
import { day } from "../state/clock-doubt.ts"
import { stepInput, wallSeconds } from "../state/update.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

type Introduction = Results["introduce"]

/** Introducing contacts to each other, and answering those who introduce someone to us. */
export function introductionCommands(
  parts: EngineParts,
): Handlers<"introduce" | "introductions" | "introduction-answer"> {
  const { ports, queue } = parts
  return {
    introduce: async ({ contact, to }) => {
      const record = await queue.run((state) => {
        const [initiator, owner] = [findContact(state, contact), findContact(state, to)]
        refuseReplaced(state)
        refuseUnsendable(initiator, devicesOf(state, initiator.id))
        refuseUnsendable(owner, devicesOf(state, owner.id))
        return decideIntroduction(state, owner, initiator, stepInput(ports))
      })
      return described(queue.state(), record)
    },
    introductions: () => {
      const state = queue.state()
      const underWay = [...state.introductions.values()].filter((one) => isUnderWay(one, ports.now()))
      return Promise.resolve(underWay.flatMap((one) => describeIntroduction(state, one) ?? []))
    },
    "introduction-answer": async ({ id, accept }) => {
      const record = findQuestion(queue.state(), id, ports.now())
      if (!accept) await queue.run((state) => refuse(findQuestion(state, id, ports.now())))
      else if (record.role === "owner") await agree(parts, id)
      else await answerBundle(parts, id)
      return described(queue.state(), queue.state().introductions.get(id) ?? record)
    },
  }
}

function refuse(record: IntroductionRecord): Decision<null> {
  const introduction = afterEvent(record, "we refuse")
  const commit = introduction === undefined ? [] : [{ kind: "introduction", introduction } as const]
  return { commit, effects: [], result: null }
}

/** The owner's yes: a bundle for the one who is introduced, which goes to the introducer. */
async function agree({ ports, queue, mailboxes, pairing }: EngineParts, id: number): Promise<void> {
  const inbox = pairing.newInbox()
  await queue.run((state) => {
    const input = stepInput(ports)
    const record = findAnswerable(state, id, input.now)
    const introducer = findContactById(state, record.contact)
    const open = introductionBundle(ports.identity, inbox, input)
    const introduction = afterEvent(record, "we agree", { bundle: open.bundle.bytes })
    if (introduction === undefined) throw notNow(introducer)
    const secret = introductionSecret(state, record, open.bundle)
    const bundle = bundleRecord({ open, ...secret, onPaired: () => undefined }, input)
    const { updates, first } = sealForAll(state, introducer.id, yesFrame(introduction), input)
    if (first === undefined) throw notNow(introducer)
    first.changes.push({ kind: "introduction", introduction }, { kind: "open-bundle", bundle })
    return toJointDecision(state, updates, null)
  })
  mailboxes.openAll()
}

/** The initiator's yes: the handshake with the bundle that the introducer has passed on. */
async function answerBundle({ ports, queue, pairing }: EngineParts, id: number): Promise<void> {
  const state = queue.state()
  const record = findAnswerable(state, id, ports.now())
  const bundle = readBundle(record.bundle, wallSeconds(stepInput(ports)))
  if (bundle === undefined) {
    const { name } = findContactById(state, record.contact)
    const hint = shellCommand`ask ${name} to introduce you again`
    const why = `by this machine's clock, which shows ${day(ports.wallClock())}, this introduction has expired: check the clock`
    throw new Fault("refused", why, hint)
  }
  const secret = introductionSecret(state, record, bundle)
  const name = new Uint8Array(Buffer.from(record.name, "utf8"))
  await pairing.initiate({ bundle, ...secret, name, introduction: record, inbox: pairing.newInbox() })
}

function described(state: EngineState, record: IntroductionRecord): Introduction {
  const introduction = describeIntroduction(state, record)
  if (introduction !== undefined) return introduction
  const who = record.role === "introducer" ? "the one who is asked" : "the introducer"
  throw new Fault("not-found", `${who} was forgotten meanwhile`, "mqttchat contacts")
}

function notNow({ name }: ContactRecord): Fault {
  return new Fault("unavailable", `${name} has to answer before more can be sent`, "try again later")
}
