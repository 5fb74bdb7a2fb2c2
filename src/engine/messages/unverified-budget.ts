import type { ContactRecord } from "../../store/records.ts"
import type { ContentChange } from "../../content/content.ts"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../time-units.ts"
import { makeSystemMessage } from "../contacts/system-messages.ts"
import { heldFrom } from "../contacts/held-texts.ts"
import { directWith } from "../state/conversations.ts"
import { contactOf } from "../contacts/devices.ts"
import type { Change, Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { UNVERIFIED_LIMITS, type UnverifiedLimits } from "../state/limits.ts"
import type { Ports } from "../state/ports.ts"
import { dropFrame, type ReceiveResult } from "../state/receive-result.ts"
import { stepInput } from "../state/update.ts"
import type { ContactId, ConversationId, DeviceId } from "../../store/ids.ts"

/** Where the last line about a limit is looked for after a start: little else is written while it is reached. */
const MESSAGES_READ = 20
/** How often the disk is asked whether messages were deleted: that reads all of a conversation. */
const REFRESH_MS = MINUTE_MS
/** How the line about a limit begins. */
const NOTICE = "more came than a contact that you have not verified may send"

/** What a contact has written to our disk. */
type Used = {
  /** When, within the last hour, unix ms. */
  times: number[]
  bytes: number
  /** When the disk was asked for the bytes, unix ms. */
  readAt: number
  /** When a frame was last refused, unix ms; 0 for never. */
  refusedAt: number
  /** When the conversation last said that a limit was reached, unix ms; 0 for never. */
  notedAt: number
}

/** Bounds what contacts that were never verified write to the disk [D-26]. */
export class UnverifiedBudget {
  readonly #ports: Ports
  readonly #used = new Map<ContactId, Used>()

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** Before the first frame of a contact is decided; the disk knows what was received before this start. */
  async prepare(state: EngineState, contact: ContactRecord | undefined): Promise<void> {
    if (contact === undefined || contact.verified || this.#used.has(contact.id)) return
    const { store, now } = this.#ports
    const readAt = now()
    const { times, bytes } = await store.receivedFrom(contact.id, readAt - HOUR_MS)
    const notedAt = await this.#lastNotice(directWith(state, contact.id).id)
    if (!this.#used.has(contact.id))
      this.#used.set(contact.id, { times: [...times], bytes, readAt, refusedAt: notedAt, notedAt })
  }

  /** The same decision, or a refusal that leaves the session as it was, so that a repeat of the frame opens. */
  limit(state: EngineState, device: DeviceId, decision: Decision<ReceiveResult>): Decision<ReceiveResult> {
    const contact = contactOf(state, device)
    if (contact === undefined || contact.verified) return decision
    const used = this.#usedBy(contact.id)
    const sizes = addedBy(state, device, decision.commit)
    if (sizes.length === 0) return decision
    const now = this.#ports.now()
    used.times = used.times.filter((at) => now - at < HOUR_MS)
    const bytes = used.bytes + sum(sizes)
    if (used.times.length < this.#limits.perHour && bytes <= this.#limits.bytes) {
      used.times.push(...sizes.map(() => now))
      used.bytes = bytes
      return decision
    }
    return this.#refusal(directWith(state, contact.id).id, used, now)
  }

  /** After a refusal: messages may have been deleted since the disk was asked. */
  async refresh(contact: ContactRecord | undefined): Promise<void> {
    const used = contact && this.#used.get(contact.id)
    const now = this.#ports.now()
    if (contact === undefined || used === undefined || Math.abs(now - used.readAt) < REFRESH_MS) return
    used.readAt = now
    used.bytes = (await this.#ports.store.receivedFrom(contact.id, now)).bytes
  }

  /** Whether frames of this contact were refused within the last hour: those behind them may be too far ahead. */
  isReached(contact: ContactRecord | undefined): boolean {
    const used = contact && this.#used.get(contact.id)
    return used !== undefined && this.#ports.now() - used.refusedAt < HOUR_MS
  }

  /** Asked for each time: a command may change the settings. */
  get #limits(): UnverifiedLimits {
    return this.#ports.unverifiedLimits?.() ?? UNVERIFIED_LIMITS
  }

  /** A contact that was not there before the frame arrived has nothing on the disk: its INIT came just before it. */
  #usedBy(contact: ContactId): Used {
    const known = this.#used.get(contact)
    if (known !== undefined) return known
    const used = { times: [], bytes: 0, readAt: this.#ports.now(), refusedAt: 0, notedAt: 0 }
    this.#used.set(contact, used)
    return used
  }

  async #lastNotice(conversation: ConversationId): Promise<number> {
    const last = await this.#ports.store.history(conversation, { limit: MESSAGES_READ })
    const notices = last.filter(({ kind, text }) => kind === "line" && text.startsWith(NOTICE))
    return notices.at(-1)?.storedAt ?? 0
  }

  #refusal(conversation: ConversationId, used: Used, now: number): Decision<ReceiveResult> {
    const refusal = dropFrame("over-limit")
    used.refusedAt = now
    if (used.notedAt > 0 && now - used.notedAt < DAY_MS) return refusal
    used.notedAt = now
    const message = makeSystemMessage(conversation, textFor(this.#limits), stepInput(this.#ports))
    return { ...refusal, commit: [message.change], effects: [...refusal.effects, message.effect] }
  }
}

function textFor({ perHour, bytes }: UnverifiedLimits): string {
  const limits = `${perHour} messages an hour, ${Math.ceil(bytes / (1024 * 1024))} MiB in all`
  return `${NOTICE} (${limits}): the rest waits on their side, and they repeat it; no limit holds once you have verified them`
}

/** A message with a number leaves at least its mid, for weeks. */
function addedBy(state: EngineState, device: DeviceId, commit: readonly Change[]): number[] {
  const sizes = newMessages(state, device, commit)
  const isKept = commit.some(({ kind }) => kind === "received-frame")
  return sizes.length === 0 && isKept ? [0] : sizes
}

/** The bytes of what the frame adds to the disk: its text and lines about it, but not texts that only waited for it. */
function newMessages(state: EngineState, device: DeviceId, commit: readonly Change[]): number[] {
  const sizes: number[] = []
  const waited = heldFrom(state, device)
  for (const change of commit) {
    if (change.kind === "message") sizes.push(Buffer.byteLength(change.message.text))
    if (change.kind === "change") sizes.push(...sizeOf(change.change))
    if (change.kind === "held") sizes.push(Buffer.byteLength(change.held.text?.text ?? ""))
    if (change.kind === "held-done") {
      const text = waited.get(change.number)?.text?.text
      const at = text === undefined ? -1 : sizes.lastIndexOf(Buffer.byteLength(text))
      if (at !== -1) sizes.splice(at, 1)
    }
  }
  return sizes
}

/** A deletion adds nothing, and counts among what comes in an hour. */
function sizeOf(change: ContentChange): number[] {
  if (change.by === null) return []
  if (change.kind === "delete") return [0]
  return [Buffer.byteLength(change.kind === "edit" ? change.text : change.emoji)]
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0)
}
