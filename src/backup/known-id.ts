import type { Reader, Writer } from "../wire/codec.ts"
import { DIGEST_BYTES, MESSAGE_ID_BYTES } from "../wire/sizes.ts"
import type { KnownId } from "../store/message-records.ts"
import type { ContactId } from "../store/ids.ts"

/** The id of a text that was deleted or disappeared: without it the text would be shown again if it came once more. */
export type BackupKnownId = Pick<KnownId, "id" | "digest" | "at"> & {
  /** In whose conversation the text was, and whether it was ours. */
  readonly contact: ContactId
  readonly mine: boolean
}

/** Fixed fields [B-11]. */
export function writeKnownId(writer: Writer, { contact, mine, id, digest, at }: BackupKnownId): void {
  writer
    .u32(contact)
    .u8(mine ? 1 : 0)
    .bytes(id)
    .bytes(digest)
    .u64(at)
}

export function readKnownId(reader: Reader): BackupKnownId {
  const [contact, mine] = [reader.u32(), reader.flag()]
  return {
    contact,
    mine,
    id: reader.bytes(MESSAGE_ID_BYTES),
    digest: reader.bytes(DIGEST_BYTES),
    at: reader.u64(),
  }
}
