import { Fault, type FaultCode } from "../../errors.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { display, safe } from "../../wire/text.ts"
import { chat } from "./chat.ts"
import type { Context } from "../context.ts"
import { readStdinText } from "../input.ts"
import { caughtUp } from "../link.ts"
import { openLasting } from "../lasting.ts"
import { openClient } from "../open.ts"
import { followInbox, type SendWish, sendText, showFound, showHistory, showInbox } from "./talk.ts"

/** CR LF. */
const LINE_END_BYTES = 2
/** A link that ends with one of these ended because a message could not be kept. */
const OF_THE_STORE: ReadonlySet<FaultCode> = new Set(["disk-full", "io", "damaged-database"])

export async function talk(context: Context, wish: { contact: string; plain: boolean }): Promise<void> {
  await chat(context, await openLasting(context), wish)
}

/** Without text, or with `-`, stdin is the text; its last line break is no part of it. */
export async function send(
  context: Context,
  wish: Omit<SendWish, "text"> & { readonly text: string | undefined },
): Promise<void> {
  const fromStdin = wish.text === undefined || wish.text === "-"
  const text = fromStdin
    ? (await readStdinText(TEXT_MAX_BYTES + LINE_END_BYTES)).replace(/\r?\n$/, "")
    : wish.text
  const { client } = await openClient(context, "brief")
  await sendText({ client, out: context.out }, { ...wish, text })
}

/**
 * What the broker kept for us counts as there: who just comes online waits until it has arrived. Faults of the store
 * where this laptop cannot keep it; the broker then still has it.
 */
export async function inbox(context: Context, follow: boolean): Promise<void> {
  if (follow) return followInbox({ client: await openLasting(context), out: context.out })
  const { client, owner } = await openClient(context, "brief")
  if (owner === "us") {
    const link = await caughtUp(client)
    if ("code" in link && OF_THE_STORE.has(link.code)) throw new Fault(link.code, link.why, link.hint)
    if (link.kind !== "online") context.out.warn(safe`there may be more: ${display(link.why)}`)
  }
  await showInbox({ client, out: context.out })
}

export async function history(context: Context, wish: { with: string; limit: number }): Promise<void> {
  const { client } = await openClient(context, "brief")
  await showHistory({ client, out: context.out }, wish)
}

export async function search(context: Context, wish: { words: string; limit: number }): Promise<void> {
  const { client } = await openClient(context, "brief")
  await showFound({ client, out: context.out }, wish)
}
