import type { BackupChange } from "../../backup/message-change.ts"
import type { ContentChange } from "../../content/content.ts"
import { toHex } from "../../crypto/bytes.ts"
import { contactOf } from "../contacts/devices.ts"
import { contentOf } from "../messages/message-content.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { CarriedChange, StoredMessage } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

/** The changes of ours that some device of theirs has not acknowledged. */
export class PendingChanges {
  readonly #names = new Set<string>()
  /** Their messages may be gone: what remains of them is that they are to be deleted. */
  readonly deletions: BackupChange[] = []

  constructor(state: EngineState) {
    for (const { device, carriesChange } of state.outgoing.values()) {
      const contact = contactOf(state, device)?.id
      if (contact !== undefined && carriesChange !== undefined) this.#add(contact, carriesChange)
    }
  }

  has(contact: ContactId, change: Pick<CarriedChange, "author" | "id" | "kind">): boolean {
    return this.#names.has(nameOf(contact, change))
  }

  #add(contact: ContactId, carried: CarriedChange): void {
    if (this.has(contact, carried)) return
    this.#names.add(nameOf(contact, carried))
    if (carried.kind !== "delete") return
    const { id, digest, time } = carried
    const change = { kind: "delete", by: null, time } as const
    this.deletions.push({ contact, mine: true, id, digest, change, at: time, isPending: true })
  }
}

function nameOf(
  contact: ContactId,
  { author, id, kind }: Pick<CarriedChange, "author" | "id" | "kind">,
): string {
  return `${contact}/${String(author)}/${toHex(id)}/${kind}`
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
    return {
      ...name,
      change,
      isPending: isLast && isOurs && pending.has(contact, { author, id, kind: change.kind }),
    }
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
