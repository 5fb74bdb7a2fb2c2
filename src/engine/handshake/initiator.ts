import { Fault } from "../../errors.ts"
import { commit, commitmentTo, newNonce } from "../../session/comparison.ts"
import { initiate, MODE } from "../../session/handshake.ts"
import type { ShownAccount } from "../../store/account-record.ts"
import type { IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { inboxTopic } from "../../wire/topics.ts"
import { keptByRecovery, notShown, shownChange, UNFINISHED_MS } from "../accounts/unfinished.ts"
import { setUpContact } from "./contact-setup.ts"
import type { EngineState } from "../state/engine-state.ts"
import { findContactById, offeredName, placeholderName } from "../contacts/contacts.ts"
import { contactOf, findDevice } from "../contacts/devices.ts"
import { type Decision, NOT_RENAMED, type Renaming } from "../state/decision.ts"
import { noteRenaming } from "../contacts/numbered-name.ts"
import { seconds, toDecision, wallSeconds, type StepInput } from "../state/update.ts"
import { OFFER_LIFE_S } from "./bundles.ts"
import { answeredChange, findAnswerable, noteIntroduction } from "./introduced.ts"
import { dropCrossed } from "./crossed-session.ts"
import { ownInitChange, supersededFrames } from "./init-memory.ts"
import { withNewSession } from "./recovery-state.ts"
import { hello, keepRecoveryBundle, ownHead, recoveryBundle, type Self } from "./hello.ts"
import type { Answered } from "../state/ports.ts"
import { splitInbox } from "../../wire/topics.ts"
import { enqueue } from "../state/outgoing.ts"
import { shellCommand } from "../../shell-command.ts"
import type { DeviceId } from "../../store/ids.ts"

const NO_NAME = new Uint8Array(0)

export type Started = {
  readonly device: DeviceId
  readonly previous: DeviceRecord | undefined
  /** Of the name in their offer. */
  readonly renaming: Renaming
  /** Number of the INIT in the outbox. */
  readonly initSeq: number
}

/** The answer to a bundle: contact, session and INIT. Faults `protocol` or `refused` when it cannot be answered. */
export function startHandshake(
  state: EngineState,
  self: Self,
  answered: Answered,
  input: StepInput,
): Decision<Started> {
  const { bundle, mode, psk, inbox } = answered
  const key = encodeIdentity(bundle.owner)
  const previous = findDevice(state, key)
  refuseBlocked(previous && contactOf(state, previous.id))
  const introduction =
    answered.introduction && findUnmet(state, answered.introduction.id, previous, input.now)
  const recovery = recoveryBundle(self.identity, inbox, input)
  const nonce = newNonce(input.random)
  const frames = hello(self, recovery, commitmentTo(nonce), supersededFrames(state, previous))
  const started = initiate({ identity: self.identity, inbox, bundle, psk, mode, frames }, input.random)
  if (started.kind === "refused") throw unanswerable(started.why)
  // A recovery bundle was made long ago: they receive at the inbox they named last.
  const isRecovery = mode === MODE.recovery && previous !== undefined
  const peerInbox = isRecovery ? splitInbox(previous.peerInbox) : bundle.inbox
  const established = { ...started.established, peerInbox }
  const by = isRecovery ? "we start a recovery" : "we answer their offer"
  const wanted = offeredName(answered.name ?? NO_NAME) ?? placeholderName(key)
  const comparison = commit(established.sas, nonce, ownHead(self))
  const setup = { previous, owner: undefined, established, comparison, mailbox: inbox.mailbox, by } as const
  const update = setUpContact(state, setup, wanted, input)
  const shown = isRecovery
    ? keptByRecovery(state, previous.id, update.contact, notShown(input.now, 0))
    : shownAtFirst(answered, input)
  update.changes.push(shownChange(update.device.id, shown))
  update.effects.push({ kind: "unfinished" })
  const { id } = update.device
  update.changes.push(
    withNewSession(state, id),
    ...dropCrossed(state, id),
    ownInitChange(state, id, started.init),
  )
  keepRecoveryBundle(update, recovery, established)
  noteIntroduction(state, update, introduction)
  if (introduction !== undefined) update.changes.push(...answeredChange(introduction))
  const { device, seq: initSeq } = update
  enqueue(update, {
    kind: "init",
    topic: inboxTopic(peerInbox),
    wire: started.init,
    mid: started.mid,
    carries: undefined,
    carriesChange: undefined,
    withdrawnNumber: null,
    delivered: false,
  })
  const renaming = previous === undefined ? noteRenaming(state, update, wanted) : NOT_RENAMED
  return toDecision(state, update, { device: device.id, previous, renaming, initSeq })
}

function shownAtFirst({ bundle, introduction }: Answered, input: StepInput): ShownAccount {
  // A bundle may say that it is for longer, to make us keep what is begun for ever.
  const lifeS = Math.min(bundle.notAfter - wallSeconds(input), OFFER_LIFE_S)
  // The owner may answer until the bundle's last moment, and its answer may take a day more.
  const fresh = notShown(input.now, (seconds(input) + lifeS) * 1000 + UNFINISHED_MS)
  return introduction === undefined ? fresh : { ...fresh, accountId: introduction.account }
}

function refuseBlocked(contact: ContactRecord | undefined): void {
  if (contact?.blocked !== true) return
  const { name } = contact
  throw new Fault("refused", `${name} is blocked`, shellCommand`mqttchat contacts unblock ${name}`)
}

/**
 * An introduction, judged in the step that answers it. Faults as `findAnswerable`, and `exists` if the device has a session
 * already: there is a pairing with it that is not finished.
 */
function findUnmet(
  state: EngineState,
  id: IntroductionId,
  previous: DeviceRecord | undefined,
  now: number,
): IntroductionRecord {
  const record = findAnswerable(state, id, now)
  if (previous === undefined) return record
  const { name } = findContactById(state, previous.contact)
  throw new Fault("exists", `you are pairing with them already, as ${name}`, "mqttchat contacts")
}

function unanswerable(why: string): Fault {
  if (why === "own-bundle") {
    return new Fault("refused", "this is an offer of your own", "give it to the person you want to pair with")
  }
  return new Fault("protocol", `the offer cannot be answered (${why})`, "ask for a new one: mqttchat pair")
}
