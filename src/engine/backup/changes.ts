import type { BackupChange } from "../../backup/message-change.ts"
import type { ContentChange } from "../../content/content.ts"
import { contactOf } from "../contacts/devices.ts"
import { contentOf } from "../messages/message-content.ts"
import { UNKNOWN_DIGEST } from "../messages/waiting-change.ts"
import { changeKey } from "../state/change-key.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { CarriedChange, StoredMessage } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

/** Of a change of ours that some device has not acknowledged: its time, and whether another device has. */
type Pending = { readonly time: number; readonly isDelivered: boolean }

type ChangeName = Pick<CarriedChange, "author" | "id" | "kind">

/** The changes of ours that some device of theirs has not acknowledged. */
export class PendingChanges {
  readonly #newest = new Map<string, Pending>()
  /** Their messages may be gone: what remains of them is that they are to be deleted. */
  readonly deletions: BackupChange[] = []

  constructor(state: EngineState) {
    for (const { device, carriesChange, delivered } of state.outgoing.values()) {
      const contact = contactOf(state, device)?.id
      if (contact !== undefined && carriesChange !== undefined) this.#add(contact, carriesChange, delivered)
    }
  }

  /** The newest one of this kind, which alone is sent again. */
  find(contact: ContactId, change: ChangeName): Pending | undefined {
    return this.#newest.get(nameOf(contact, change))
  }

  #add(contact: ContactId, carried: CarriedChange, isDelivered: boolean): void {
    const { id, digest, time, kind } = carried
    const before = this.find(contact, carried)
    if (before === undefined || before.time < time)
      this.#newest.set(nameOf(contact, carried), { time, isDelivered })
    // What may not have been deleted at all is not in the backup.
    if (before !== undefined || kind !== "delete" || digest.length === UNKNOWN_DIGEST.length) return
    const change = { kind, by: null, time } as const
    this.deletions.push({ contact, mine: true, id, digest, change, at: time, isPending: true, isDelivered })
  }
}

function nameOf(contact: ContactId, change: ChangeName): string {
  return `${contact}/${changeKey(change)}`
}

/** What became of a message, oldest first. Of ours only the last edit is pending, for only that is sent again. */
export function changesOf(
  message: StoredMessage,
  contact: ContactId,
  pending: PendingChanges,
): BackupChange[] {
  const { author, id, digest, storedAt, editedAt } = message
  const name = { contact, mine: author === null, id, digest, at: storedAt }
  return changesIn(message).map((change) => {
    const isLast = change.kind !== "edit" || change.time === editedAt
    const isOurs = change.by === null && change.kind !== "delete"
    const found = isLast && isOurs ? pending.find(contact, { author, id, kind: change.kind }) : undefined
    return { ...name, change, isPending: found !== undefined, isDelivered: found?.isDelivered === true }
  })
}

function changesIn(message: StoredMessage): ContentChange[] {
  const { author, edits, reactions, deletedAt } = contentOf(message)
  return [
    ...edits.toReversed().map((version) => ({ kind: "edit", by: author, ...version }) as const),
    ...reactions.map((reaction) => ({ kind: "reaction", ...reaction }) as const),
    ...(deletedAt === null ? [] : [{ kind: "delete", by: author, time: deletedAt } as const]),
  ]
}
