import {
  applyChange,
  changeTime,
  newestVersion,
  reactionOf,
  type ChangeRefusal,
  type ContentChange,
} from "../../content/content.ts"
import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { isEmoji } from "../../wire/emoji.ts"
import { contentOf } from "../messages/message-content.ts"
import type { StoredMessage } from "../../store/message-records.ts"

/** What is to become of a message. */
export type Wanted =
  | { readonly kind: "edit"; readonly text: string }
  | { readonly kind: "delete" }
  /** Empty takes it away. */
  | { readonly kind: "reaction"; readonly emoji: string }

/** A message, and the name of the contact in whose conversation it is. */
type Subject = { readonly message: StoredMessage; readonly name: string }

/** Undefined if the message is so already. Fault `refused` if it cannot be changed so. */
export function changeFor(subject: Subject, wanted: Wanted, now: number): ContentChange | undefined {
  const { message } = subject
  if (wanted.kind !== "delete") refuseUndelivered(message)
  if (message.kind === "line")
    throw new Fault("refused", "that line is no message of a person", "mqttchat history NAME --ids")
  const content = contentOf(message)
  const change = { ...wanted, by: null, time: changeTime(content, wanted.kind, now) }
  const result = applyChange(content, change)
  if (result.kind === "refused") throw refusal(subject, wanted, result.why)
  if (change.kind === "edit" && newestVersion(content).text === change.text) return undefined
  const isSame = change.kind === "reaction" && (reactionOf(content, null)?.emoji ?? "") === change.emoji
  return isSame ? undefined : change
}

/** One that was cancelled or given up may not be there to be changed; it may be there to be deleted. */
function refuseUndelivered({ state }: StoredMessage): void {
  if (state === "cancelled" || state === "given-up")
    throw new Fault(
      "refused",
      "that message was not delivered, so it cannot be changed",
      "mqttchat send NAME TEXT",
    )
}

function refusal({ message, name }: Subject, { kind }: Wanted, why: ChangeRefusal): Fault {
  const id = toHex(message.id)
  if (why === "not-author") {
    const what = kind === "edit" ? "edit it" : "delete it for both"
    return new Fault(
      "refused",
      `${name} wrote that message: only they can ${what}`,
      shellCommand`mqttchat delete ${id}`,
    )
  }
  return new Fault("refused", "that message was deleted for both", shellCommand`mqttchat delete ${id}`)
}

export function checkEmoji(emoji: string | null): void {
  if (emoji === null || isEmoji(emoji)) return
  throw new Fault("bad-data", "a reaction is one emoji", "mqttchat react ID 👍")
}
