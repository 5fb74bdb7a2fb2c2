import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { chat } from "./chat.ts"
import { type HistoryOptions, type SearchOptions, showHistory, showSearch } from "./history.ts"
import type { Context } from "../terminal/context.ts"
import { readStdinText } from "../terminal/input.ts"
import { settledStatus } from "../profile/connection-status.ts"
import { openReconnectingClient } from "../profile/reconnecting-client.ts"
import { openClient } from "../profile/open-client.ts"
import { answerLimit, connectingToSend } from "./send-limits.ts"
import { followEvents, followInbox } from "./follow.ts"
import { showWholeInbox } from "./whole-inbox.ts"
import { type EditOptions, editText, reactTo } from "./change-message.ts"
import { findMessage } from "./find-message.ts"
import { type SendContext, type SendOptions, sendText } from "./messages.ts"

/** CR LF. */
const LINE_END_BYTES = 2

export async function startChat(
  context: Context,
  request: { contact: string; plain: boolean },
): Promise<void> {
  await chat(context, await openReconnectingClient(context), request)
}

type SendRequest = Omit<SendOptions, "text" | "replyTo"> & {
  readonly text: string | undefined
  /** The beginning of the id of the message that it answers. */
  readonly reply?: string | undefined
}

export async function send(context: Context, { reply, ...request }: SendRequest): Promise<void> {
  const text = await textOrStdin(request.text)
  const { client, owner } = await connectingToSend(
    openClient(context, "brief", answerLimit(request.timeoutMs)),
  )
  const { contact } = request
  const replyTo = reply === undefined ? {} : { replyTo: (await findMessage(client, reply, { contact })).id }
  await sendText({ client, owner, out: context.out }, { ...request, ...replyTo, text })
}

export async function edit(
  context: Context,
  { text: typed, ...target }: Omit<EditOptions, "text"> & { readonly text: string | undefined },
): Promise<void> {
  const text = await textOrStdin(typed)
  await editText(await openToChange(context), { ...target, text })
}

export async function react(context: Context, id: string, emoji: string | null): Promise<void> {
  await reactTo(await openToChange(context), id, emoji)
}

async function openToChange(context: Context): Promise<SendContext> {
  return { ...(await openClient(context, "brief")), out: context.out }
}

/** Without text, or with `-`, the text is stdin without its last line break. */
async function textOrStdin(text: string | undefined): Promise<string> {
  if (text !== undefined && text !== "-") return text
  return (await readStdinText(TEXT_MAX_BYTES + LINE_END_BYTES)).replace(/\r?\n$/, "")
}

export type InboxOptions = { readonly follow: boolean; readonly since?: number | undefined }

/**
 * Includes what the broker kept for us: after coming online this waits until that has arrived. Faults of the store if
 * this laptop cannot keep it, and `queued` if it has not all arrived; the broker then still has it.
 */
export async function inbox(context: Context, { follow, since }: InboxOptions): Promise<void> {
  if (follow || since !== undefined) {
    await followFrom(context, since)
    return
  }
  const { client } = await openClient(context, "brief")
  await settledStatus(client)
  await showWholeInbox({ client, out: context.out })
}

async function followFrom(context: Context, since: number | undefined): Promise<void> {
  const clientContext = { client: await openReconnectingClient(context), out: context.out }
  await (since === undefined ? followInbox(clientContext) : followEvents(clientContext, since))
}

export async function history(context: Context, contact: string, options: HistoryOptions): Promise<void> {
  const { client } = await openClient(context, "reading")
  await showHistory({ client, out: context.out }, contact, options)
}

export async function search(context: Context, options: SearchOptions): Promise<void> {
  const { client } = await openClient(context, "reading")
  await showSearch({ client, out: context.out }, options)
}
