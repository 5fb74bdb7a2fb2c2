import type { ContentChange } from "../content/content.ts"
import { utf8 } from "../crypto/bytes.ts"
import type { Reader, Writer } from "../wire/codec.ts"
import { EMOJI_MAX_BYTES } from "../wire/emoji.ts"
import { DIGEST_BYTES, MESSAGE_ID_BYTES } from "../wire/sizes.ts"
import { readText } from "../wire/text.ts"
import type { ChangeWrite } from "../store/message-records.ts"
import type { ContactId } from "../store/ids.ts"

/** A change of a message, or one that waits for its message. */
export type BackupChange = Pick<ChangeWrite, "id" | "digest" | "change" | "at"> & {
  /** In whose conversation the message is, and whether it is ours. */
  readonly contact: ContactId
  readonly mine: boolean
  /** A change of ours that the contact has not acknowledged: it is sent again from where the backup is read. */
  readonly isPending: boolean
  /** One that is pending is so for a device, and another one has acknowledged it. */
  readonly isDelivered: boolean
}

const KINDS = ["edit", "delete", "reaction"] as const
/** The message is ours; the change is. */
const MINE = 1
const BY_US = 2
const PENDING = 4
const DELIVERED = 8

/** Fixed fields, then the text of an edit or the emoji of a reaction as the rest [B-9]. */
export function writeChange(
  writer: Writer,
  { contact, mine, change, isPending, isDelivered, ...rest }: BackupChange,
): void {
  writer.u32(contact)
  const whose = (mine ? MINE : 0) | (change.by === null ? BY_US : 0)
  writer.u8(whose | (isPending ? PENDING : 0) | (isDelivered ? DELIVERED : 0))
  writer.bytes(rest.id).bytes(rest.digest).u8(KINDS.indexOf(change.kind))
  writer
    .u64(change.time)
    .u64(rest.at)
    .bytes(utf8(saidBy(change)))
}

function saidBy(change: ContentChange): string {
  if (change.kind === "edit") return change.text
  return change.kind === "reaction" ? change.emoji : ""
}

export function readChange(reader: Reader): BackupChange {
  const contact = reader.u32()
  const flags = reader.u8()
  const [id, digest] = [reader.bytes(MESSAGE_ID_BYTES), reader.bytes(DIGEST_BYTES)]
  const kind = KINDS[reader.u8()]
  const [time, at] = [reader.u64(), reader.u64()]
  const by = (flags & BY_US) === 0 ? contact : null
  const change = { by, time, ...readSaid(reader, kind) }
  const isPending = (flags & PENDING) !== 0
  const isDelivered = (flags & DELIVERED) !== 0
  if (flags > (MINE | BY_US | PENDING | DELIVERED) || kind === undefined) reader.refuse()
  if ((isPending && by !== null) || (isDelivered && !isPending)) reader.refuse()
  return { contact, mine: (flags & MINE) !== 0, id, digest, change, at, isPending, isDelivered }
}

type Said =
  | { readonly kind: "edit"; readonly text: string }
  | { readonly kind: "delete" }
  | { readonly kind: "reaction"; readonly emoji: string }

function readSaid(reader: Reader, kind: ContentChange["kind"] | undefined): Said {
  const bytes = reader.rest()
  const text = readText(bytes)
  if (text === undefined) reader.refuse()
  if (kind === "edit") {
    if (bytes.length === 0) reader.refuse()
    return { kind, text: text ?? "" }
  }
  if (bytes.length > (kind === "reaction" ? EMOJI_MAX_BYTES : 0)) reader.refuse()
  return kind === "reaction" ? { kind, emoji: text ?? "" } : { kind: "delete" }
}
