import type { ChatClient, Results } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { settledStatus } from "../profile/connection-status.ts"
import { openClient } from "../profile/open-client.ts"
import { formatTime } from "../terminal/format.ts"

/** Enough digits of an id to tell the messages of an outbox apart. */
const SHOWN_DIGITS = 8
/** Keeps a message on one row; the history has the whole text. */
const TEXT_SHOWN = 40

const TRIES = [safe``, safe`, sent once`] as const

type OutboxEntry = Results["outbox"][number]

/** Lists what waits, and why. */
export async function listOutbox(context: Context): Promise<void> {
  const { client, owner } = await openClient(context, "brief")
  const { out } = context
  // the reason why a message waits is known only after the first attempt to connect
  if ((await client.call("outbox", {})).length > 0) await settledStatus(client)
  const rows = await client.call("outbox", {})
  for (const row of rows) {
    if (out.json) out.record("mqttchat/waiting/1", row)
    else out.data(outboxRow(row, Date.now(), out.ascii ? "..." : "…"))
  }
  if (rows.length === 0 && !out.json) out.info(safe`the outbox is empty`)
  if (rows.length > 0 && owner === "us") out.next(safe`to keep trying: mqttchat daemon`)
}

/** Cancels the one message whose id begins with `digits`. Faults `not-found`, `usage`; `refused` for a change. */
export async function cancelEntry(context: Context, digits: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { contact, id, attempts } = await findEntry(client, digits.toLowerCase())
  await client.call("cancel", { contact, id })
  const name = displayName(contact)
  context.out.done(
    attempts === 0 ? safe`cancelled before it was sent` : safe`cancelled, but ${name} may have it already`,
  )
}

async function findEntry(client: ChatClient, digits: string): Promise<OutboxEntry> {
  const waiting = (await client.call("outbox", {})).filter(({ id }) => id.startsWith(digits))
  const found = waiting.filter(({ kind }) => kind === "text")
  const [only] = found
  const [change] = waiting
  if (only === undefined && change !== undefined && digits !== "") throw notCancelled(change)
  if (only === undefined || digits === "") {
    throw new Fault("not-found", `no waiting message begins with ${digits}`, "mqttchat outbox")
  }
  if (found.length === 1) return only
  throw new Fault(
    "usage",
    `${found.length} messages begin with ${digits}: give more digits`,
    "mqttchat outbox",
  )
}

/** The change has its effect here already: another one takes its place. */
function notCancelled({ contact, id, kind }: OutboxEntry): Fault {
  const hint = {
    text: "mqttchat outbox",
    edit: shellCommand`mqttchat send ${contact} --edit ${id} TEXT`,
    delete: "mqttchat outbox",
    reaction: shellCommand`mqttchat react ${id} --remove`,
  }[kind]
  return new Fault("refused", `what waits of ${id} is a change, which cannot be cancelled`, hint)
}

/** What waits, before the name of the contact. */
const WHAT = {
  text: safe``,
  edit: safe`edit `,
  delete: safe`deletion `,
  reaction: safe`reaction `,
} as const

function outboxRow(
  { id, kind, contact, text, storedAt, attempts, reason }: OutboxEntry,
  now: number,
  more: string,
): SafeText {
  const tries = TRIES[attempts] ?? safe`, sent ${attempts} times`
  const start = display(text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}${more}` : text)
  const about = safe`${display(id.slice(0, SHOWN_DIGITS))}  ${formatTime(storedAt, now)}  ${WHAT[kind]}to ${displayName(contact)}`
  const said = kind === "delete" ? safe`` : safe`: ${kind === "reaction" && text === "" ? safe`none` : start}`
  return safe`${about}${said}\n          ${display(reason)}${tries}`
}
