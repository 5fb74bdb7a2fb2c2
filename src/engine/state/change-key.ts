import { toHex } from "../../crypto/bytes.ts"
import type { CarriedChange } from "../../store/message-records.ts"

/** What a change of ours is called in a Map: a newer one of its name takes its place. */
export function changeKey({ author, id, kind }: Pick<CarriedChange, "author" | "id" | "kind">): string {
  return `${String(author)}/${toHex(id)}/${kind}`
}
