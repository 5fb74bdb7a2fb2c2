import { fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord } from "../../store/records.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import type { ContactReference, Message } from "../state/shapes.ts"
import type { Params, Results } from "../state/commands.ts"
import type { EngineState } from "../state/engine-state.ts"
import { findContact } from "../contacts/contacts.ts"
import { devicesOf } from "../contacts/devices.ts"
import { refuseUnsendable } from "../state/send-gate.ts"
import { noChange, type Decision } from "../state/decision.ts"
import { enqueueText, type Draft } from "../messages/enqueue.ts"
import { deliveriesOf, hasRoom } from "../messages/deliveries.ts"
import { longestText } from "../messages/refusals.ts"
import { refuseReplaced } from "../connection/replaced-device.ts"
import { markRead } from "../messages/read-markers.ts"
import { waitForState } from "../messages/wait-for-state.ts"
import { stepInput } from "../state/update.ts"
import { authorTagOf } from "../contacts/authors.ts"
import { directWith } from "../state/conversations.ts"
import { describeMessage } from "../contacts/describe.ts"
import { withoutDraft } from "./sent-draft.ts"
import type { ContactId } from "../../store/ids.ts"
import { shellCommand } from "../../shell-command.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"
import type { ReplyTo, StoredMessage } from "../../store/message-records.ts"

/** Sending and reading messages. */
export function messageCommands(
  parts: EngineParts,
): Handlers<"send" | "history" | "search" | "inbox" | "mark-read"> {
  const { ports, queue } = parts
  return {
    send: (params) => send(parts, params),
    history: async ({ contact, ...page }) => {
      const { id } = findContact(queue.state(), contact)
      return describeAll(queue.state(), await ports.store.history(directWith(queue.state(), id).id, page))
    },
    search: async ({ query, ...page }) => describeAll(queue.state(), await ports.store.search(query, page)),
    inbox: async ({ markRead: isRead, ...page }) => {
      const unshown = await ports.store.unshown(page)
      if (isRead) await markRead(parts, unshown)
      return describeAll(queue.state(), unshown)
    },
    "mark-read": async ({ contact: reference, after, upTo }) => {
      const { id } = findContact(queue.state(), reference)
      await markRead(
        parts,
        await ports.store.unshown({ conversation: directWith(queue.state(), id).id, after, upTo }),
      )
      return null
    },
  }
}

async function send(parts: EngineParts, params: Params<"send">): Promise<Results["send"]> {
  checkText(parts, params.text)
  const draft = { text: params.text, replyTo: await findReplyTo(parts, params) }
  // A handshake in between leaves older texts unsent; they go first.
  const stored = (await storeText(parts, params, draft)) ?? (await storeText(parts, params, draft))
  if (stored === undefined) throw notNow(findContact(parts.queue.state(), params.contact).name)
  const id = toHex(stored)
  if (params.wait === "queued") return { id, state: "queued" }
  const { wait, timeoutMs } = params
  const { id: contact } = findContact(parts.queue.state(), params.contact)
  const isRefused = (): boolean => isSetAside(parts.queue.state(), contact, stored)
  return { id, state: await waitForState(parts, { id, wait, timeoutMs, isRefused }) }
}

function isSetAside(state: EngineState, contact: ContactId, id: Uint8Array): boolean {
  return deliveriesOf(state, contact, id).some(({ refusal }) => refusal !== undefined)
}

/** Undefined while older texts wait to be sealed. */
async function storeText(
  parts: EngineParts,
  { contact: reference, fromDraft = false }: Params<"send">,
  draft: Draft,
): Promise<Uint8Array | undefined> {
  const { ports, queue, reencryption } = parts
  const contact = findContact(queue.state(), reference)
  await Promise.all(devicesOf(queue.state(), contact.id).map((device) => reencryption.done(device.id)))
  const id = await queue.run((state) => {
    const decision = decideText(parts, state, reference, { fromDraft, ...draft })
    ports.reach("send-decided")
    return decision
  })
  if (id !== undefined) ports.reach("send-committed")
  return id
}

function decideText(
  parts: EngineParts,
  state: EngineState,
  reference: ContactReference,
  { fromDraft, ...draft }: Draft & { readonly fromDraft: boolean },
): Decision<Uint8Array | undefined> {
  const contact = findContact(state, reference)
  refuseSending(state, contact)
  refuseWithoutRoom(state, contact)
  const { commit, effects, result } = enqueueText(state, contact.id, draft, stepInput(parts.ports))
  if (result.kind === "posted") {
    const sent = { commit, effects, result: result.id }
    return fromDraft ? withoutDraft(state, contact.id, sent) : sent
  }
  if (result.why === "older-first") return noChange(undefined)
  throw notNow(contact.name)
}

/** What a message answers, here or deleted. Fault `not-found` if no message had this id. */
async function findReplyTo(
  { ports, queue }: EngineParts,
  { contact: reference, replyTo }: Params<"send">,
): Promise<ReplyTo | undefined> {
  if (replyTo === undefined) return undefined
  const { id: contact, name } = findContact(queue.state(), reference)
  const id = fromHex(replyTo)
  const known = await ports.store.knownText(directWith(queue.state(), contact).id, id)
  if (known === undefined) {
    const hint = shellCommand`mqttchat history ${name} --ids`
    throw new Fault("not-found", `there is no message ${replyTo} to answer`, hint)
  }
  const { author, digest } = known
  const tag = authorTagOf(queue.state(), author)
  return tag && { author: tag, id, digest }
}

export function notNow(name: string): Fault {
  return new Fault("unavailable", `${name} has to answer before more can be sent`, "try again later")
}

/** Fault `refused` if nothing may be sent to them. */
export function refuseSending(state: EngineState, contact: ContactRecord): void {
  refuseReplaced(state)
  refuseUnsendable(contact, devicesOf(state, contact.id))
}

/** Fault `unavailable` if no device of theirs takes one more. */
export function refuseWithoutRoom(state: EngineState, contact: ContactRecord): void {
  const devices = devicesOf(state, contact.id)
  if (devices.length === 0 || devices.some((device) => hasRoom(state, device))) return
  throw new Fault("unavailable", `too many messages are waiting for ${contact.name}`, "mqttchat outbox")
}

/** Faults `bad-data` if it is empty, or larger than a message or the broker takes. */
export function checkText({ broker }: Pick<EngineParts, "broker">, text: string): void {
  const bytes = Buffer.byteLength(text, "utf8")
  if (text.trim() === "") throw new Fault("bad-data", "the message is empty", "mqttchat send NAME TEXT")
  const longest = longestText(broker.maximumPacketSize())
  if (bytes <= longest) return
  if (longest < TEXT_MAX_BYTES) {
    const message = `the broker takes messages of at most ${longest} bytes, this one has ${bytes}`
    throw new Fault("bad-data", message, "send it in parts")
  }
  throw new Fault(
    "bad-data",
    `a message has at most ${TEXT_MAX_BYTES} bytes, this one has ${bytes}`,
    "send it in parts",
  )
}

function describeAll(state: EngineState, records: readonly StoredMessage[]): Message[] {
  return records.flatMap((record) => describeMessage(state, record) ?? [])
}
