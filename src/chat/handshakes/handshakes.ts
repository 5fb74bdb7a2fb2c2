import { Fault } from "../../errors.ts"
import { initiate, MODE } from "../../session/handshake.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { inboxTopic } from "../../wire/topics.ts"
import { admit } from "./admitting.ts"
import type { Book } from "../book.ts"
import { findIdentity, placeholderName } from "../contacts/contacts.ts"
import type { Decision } from "../decision.ts"
import { settle, type Moment } from "../draft.ts"
import { hello, keepRecoveryBundle, recoveryBundle, type Self } from "./introducing.ts"
import { enclose, splitInbox } from "../sending/outbound.ts"
import type { Answered } from "../ports.ts"

export type Started = {
  readonly contact: ContactId
  readonly before: ContactRecord | undefined
  /** Number of the INIT in the outbox. */
  readonly letter: number
}

/** The answer to a bundle: contact, session and INIT. Faults `protocol` or `refused` when it cannot be answered. */
export function startHandshake(
  book: Book,
  self: Self,
  answered: Answered,
  moment: Moment,
): Decision<Started> {
  const { bundle, mode, psk, inbox } = answered
  const identity = encodeIdentity(bundle.owner)
  const before = findIdentity(book, identity)
  if (before?.blocked === true) {
    throw new Fault("refused", `${before.name} is blocked`, `mqttchat contacts unblock ${before.name}`)
  }
  const recovery = recoveryBundle(self.identity, inbox, moment)
  const frames = [hello(self, recovery)]
  const started = initiate({ identity: self.identity, inbox, bundle, psk, mode, frames }, moment.random)
  if (started.kind === "refused") throw unanswerable(started.why)
  // A recovery bundle was made long ago: they receive where they said last.
  const isRecovery = mode === MODE.recovery && before !== undefined
  const peerInbox = isRecovery ? splitInbox(before.peerInbox) : bundle.inbox
  const established = { ...started.established, peerInbox }
  const by = isRecovery ? "we begin anew" : "we answer their offer"
  const draft = admit(
    book,
    { before, established, mailbox: inbox.mailbox, by },
    placeholderName(identity),
    moment,
  )
  keepRecoveryBundle(draft, recovery, established)
  const { contact, seq: letter } = draft
  enclose(draft, {
    contact: contact.id,
    kind: "init",
    topic: inboxTopic(peerInbox),
    wire: started.init,
    mid: started.mid,
    carries: undefined,
  })
  return settle(book, draft, { contact: contact.id, before, letter })
}

function unanswerable(why: string): Fault {
  if (why === "own-bundle") {
    return new Fault("refused", "this is an offer of your own", "give it to somebody else")
  }
  return new Fault("protocol", `the offer cannot be answered (${why})`, "ask for a new one: mqttchat pair")
}
