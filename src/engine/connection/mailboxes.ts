import { fromBase64url, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { DeviceRecord } from "../../store/records.ts"
import { ID_BYTES, inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { notice } from "../state/events.ts"
import type { BrokerConnection } from "./broker-connection.ts"
import { wantedMailboxes } from "./wanted-mailboxes.ts"

/**
 * Our subscriptions: the mailboxes of each device of a contact that is not blocked, and one for each offer.
 */
export type Mailboxes = {
  /** Subscribes to all mailboxes that are not yet; resolves when this one has its SUBACK. */
  readonly open: (mailbox: Uint8Array) => Promise<void>
  /** The same for one that can be done without: no other has to end for it where the broker has no more room. */
  readonly request: (mailbox: Uint8Array) => Promise<void>
  /** `run` is called when the broker refuses a mailbox that is needed: true if it has ended one that can be spared. */
  readonly onRefused: (run: () => Promise<boolean>) => void
  /** Whether it has its SUBACK on this connection. */
  readonly isOpen: (mailbox: Uint8Array) => boolean
  readonly close: (mailbox: Uint8Array) => void
  /** Ends a subscription, open or not. True once the broker has none; false where that is not known, as while it is away. */
  readonly end: (mailbox: Uint8Array) => Promise<boolean>
  /** After a new connection: all mailboxes of devices and offers. */
  readonly openAll: () => void
  /** Those that the broker has refused on this connection: what is sent there does not arrive. */
  readonly refused: () => number
  /** `run` is called after each SUBACK of a mailbox. */
  readonly onOpen: (run: () => void) => void
  /** An inbox of ours with this mailbox. Faults `config` without a broker. */
  readonly inboxAt: (mailbox: Uint8Array) => Inbox
  /** An INIT may leave only when its answer can arrive. */
  readonly maySendInit: (device: DeviceRecord) => boolean
}

export type MailboxSource = {
  readonly queue: CommitQueue
  readonly broker: BrokerConnection
  readonly events: Events
}

/** Told once; the number is in `status`. */
const REFUSED =
  "the broker refuses some of this profile's mailboxes, so those contacts cannot reach it: mqttchat status says how many"

export function openMailboxes({ queue, broker, events }: MailboxSource): Mailboxes {
  const ready = new Set<string>()
  const refused = new Set<string>()
  let opened: () => void = () => undefined
  let spare: () => Promise<boolean> = () => Promise.resolve(false)

  const topicOf = (mailbox: Uint8Array): string | undefined => topicAt(broker, mailbox)

  async function request(mailbox: Uint8Array): Promise<void> {
    const topic = topicOf(mailbox)
    const connection = broker.connection()
    if (topic === undefined || connection === undefined || ready.has(toHex(mailbox))) return
    await connection.subscribe(topic)
    ready.add(toHex(mailbox))
    opened()
  }

  /** Each time one that can be spared ends, there is room for another. */
  async function open(mailbox: Uint8Array): Promise<void> {
    try {
      await request(mailbox)
    } catch (fault) {
      if (!(fault instanceof Fault) || fault.code !== "refused" || !(await spare())) throw fault
      await open(mailbox)
    }
  }

  async function openOrReport(mailbox: Uint8Array): Promise<void> {
    try {
      await open(mailbox)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (fault.code === "unavailable") return
      refused.add(toHex(mailbox))
      if (refused.size === 1) events.emit(notice(REFUSED))
    }
  }

  async function end(mailbox: Uint8Array): Promise<boolean> {
    refused.delete(toHex(mailbox))
    ready.delete(toHex(mailbox))
    const topic = topicOf(mailbox)
    return topic !== undefined && (await endSubscription(broker, topic))
  }

  return {
    open,
    request,
    end,
    onRefused: (run) => (spare = run),
    isOpen: (mailbox) => ready.has(toHex(mailbox)),
    inboxAt: (mailbox) => inboxAt(broker, mailbox),
    refused: () => refused.size,
    onOpen: (run) => (opened = run),
    close: (mailbox) => {
      const topic = topicOf(mailbox)
      refused.delete(toHex(mailbox))
      if (!ready.delete(toHex(mailbox)) || topic === undefined) return
      void broker.connection()?.unsubscribe(topic)
    },
    openAll: () => {
      ready.clear()
      refused.clear()
      const { needed, left } = wantedMailboxes(queue.state())
      for (const mailbox of needed) void openOrReport(mailbox)
      for (const mailbox of left) void request(mailbox).catch(ignoreFault)
    },
    maySendInit: ({ mailbox }) => ready.has(toHex(mailbox)),
  }
}

function topicAt(broker: BrokerConnection, mailbox: Uint8Array): string | undefined {
  const device = fromBase64url(broker.deviceId() ?? "")
  return device === undefined ? undefined : inboxTopic({ device, mailbox })
}

function inboxAt(broker: BrokerConnection, mailbox: Uint8Array): Inbox {
  const device = fromBase64url(broker.deviceId() ?? "")
  if (device?.length === ID_BYTES) return { device, mailbox }
  throw new Fault("config", "this profile has no broker yet", "mqttchat pair CODE@HOST")
}

function ignoreFault(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}

async function endSubscription(broker: BrokerConnection, topic: string): Promise<boolean> {
  const connection = broker.connection()
  if (connection === undefined) return false
  const isOnline = (): boolean => broker.status().kind === "online" && broker.connection() === connection
  const wasOnline = isOnline()
  await connection.unsubscribe(topic)
  return wasOnline && isOnline()
}
