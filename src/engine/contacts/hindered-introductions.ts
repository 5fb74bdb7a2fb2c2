import { shellCommand } from "../../shell-command.ts"
import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { ContactRecord } from "../../store/records.ts"
import { joined, type Consequences } from "../state/decision.ts"
import { directWith } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import { notice } from "../state/events.ts"
import type { StepInput } from "../state/update.ts"
import { isUnderWay } from "./introduction-policy.ts"
import { bundlesFor } from "./introductions.ts"
import { makeSystemMessage } from "./system-messages.ts"

/**
 * What becomes of the introductions of a contact that is forgotten: they go with it, and so do the bundles made for them. The
 * person is told where something was still to come [D-83].
 */
export function endIntroductions(
  state: EngineState,
  gone: ContactRecord,
  why: "was forgotten" | "has another key",
  input: StepInput,
): Consequences {
  const ended = involving(state, gone, input.now)
  const closed = ended.flatMap((record) => bundlesFor(state, record))
  const messages = ended.map((record) => {
    const text = `${gone.name} ${why}: ${lost(state, record, gone)}`
    const other = otherIn(state, record, gone)
    return other === undefined ? noted(text) : inConversation(state, other, text, input)
  })
  return joined([
    ...closed.map(({ tag, mailbox }): Consequences => ({
      commit: [{ kind: "close-bundle", tag }],
      effects: [{ kind: "bundle-closed", mailbox }],
    })),
    ...messages,
  ])
}

/** What the person is told of the introductions of a contact that they block: these wait. */
export function noteHindered(state: EngineState, blocked: ContactRecord, input: StepInput): Consequences {
  const how = shellCommand`mqttchat contacts unblock ${blocked.name}`
  return joined(
    involving(state, blocked, input.now).map((record) => {
      const other = otherIn(state, record, blocked)
      const what =
        other === undefined
          ? `you cannot meet ${record.name} through them`
          : `you do not introduce ${other.name} to them`
      const text = `${blocked.name} is blocked: ${what} until you unblock them: ${how}`
      return inConversation(state, other ?? blocked, text, input)
    }),
  )
}

/** Those of which something is still to come from here or for here. What the initiator was given is not in our hands. */
function involving(state: EngineState, { id }: ContactRecord, now: number): IntroductionRecord[] {
  return [...state.introductions.values()].filter(
    (record) =>
      (record.contact === id || record.initiator === id) &&
      isUnderWay(record, now) &&
      !(record.role === "introducer" && record.state === "introduced"),
  )
}

/** In an introduction of our own the one who stays. */
function otherIn(
  { contacts }: EngineState,
  { contact, initiator }: IntroductionRecord,
  gone: ContactRecord,
): ContactRecord | undefined {
  if (initiator === null) return undefined
  return contacts.get(contact === gone.id ? initiator : contact)
}

function lost(state: EngineState, record: IntroductionRecord, gone: ContactRecord): string {
  const other = otherIn(state, record, gone)
  if (other !== undefined) return `you do not introduce ${other.name} to them any more`
  return `you cannot meet ${record.name} through them any more`
}

function inConversation(
  state: EngineState,
  { id }: ContactRecord,
  text: string,
  input: StepInput,
): Consequences {
  const { change, effect } = makeSystemMessage(directWith(state, id).id, text, input)
  return { commit: [change], effects: [effect] }
}

function noted(text: string): Consequences {
  return { commit: [], effects: [{ kind: "event", event: notice(text) }] }
}
