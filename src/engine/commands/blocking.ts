import type { ContactRecord } from "../../store/records.ts"
import { findContact } from "../contacts/contacts.ts"
import { describeAlone } from "../contacts/describe.ts"
import { devicesOf } from "../contacts/devices.ts"
import { noteHindered } from "../contacts/hindered-introductions.ts"
import { leftOutUntil } from "../contacts/left-out.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { requestFirst } from "../messages/gap-requests.ts"
import type { Params } from "../state/commands.ts"
import type { Change, Consequences, Decision } from "../state/decision.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Contact } from "../state/shapes.ts"
import type { StepInput } from "../state/update.ts"

export function decideBlocking(
  state: EngineState,
  { contact: reference, blocked, withMessages = false }: Params<"block">,
  ahead: number,
  input: StepInput,
): Decision<Contact> {
  const found = findContact(state, reference)
  const contact = { ...found, blocked }
  const change: Change = { kind: "contact", contact }
  const { commit, effects } = consequences(state, found, { blocked, withMessages, ahead }, input)
  return { commit: [change, ...commit], effects, result: describeAlone(state, contact) }
}

type Blocking = { readonly blocked: boolean; readonly withMessages: boolean; readonly ahead: number }

function consequences(
  state: EngineState,
  contact: ContactRecord,
  { blocked, withMessages, ahead }: Blocking,
  input: StepInput,
): Consequences {
  if (blocked)
    return contact.blocked ? { commit: [], effects: [] } : noteHindered(state, { ...contact, blocked }, input)
  // Who was unblocked a moment ago may still be heard in full.
  if (!contact.blocked && !withMessages) return { commit: [], effects: [] }
  const leftOut = devicesOf(state, contact.id).map(({ id }) =>
    leftOutUntil(state, id, { now: input.now, isWanted: withMessages, ahead }),
  )
  // Without a wish nothing leaves: a contact is not told that they are unblocked.
  if (!withMessages) return { commit: leftOut, effects: [] }
  const updates = updateEach(state, contact.id, input, (update) => {
    update.contact = { ...update.contact, blocked }
    if (!isUnfinished(state, update.device.id)) requestFirst(update, state)
  })
  const { commit, effects } = toJointDecision(state, updates, null)
  return { commit: [...leftOut, ...commit], effects }
}
