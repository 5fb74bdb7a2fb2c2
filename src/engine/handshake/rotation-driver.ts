import { fromBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { DeviceId } from "../../store/ids.ts"
import { HOUR_MS } from "../../time-units.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import {
  beginRotation,
  forgetNext,
  forgetOld,
  isRotationDue,
  mustNameAgain,
  nameAgain,
  nameNext,
  oldestLeft,
  overdueMailboxes,
  rotationOf,
} from "./mailbox-rotation.ts"

/** After a week away all contacts are due at once: each rotation is a subscription, a key pair and two commits. */
const UNDER_WAY_MAX = 4
/** How often the mailboxes of all devices are looked through while frames come. */
const RECONCILE_EVERY_MS = HOUR_MS

/** Replaces the mailboxes in which contacts' devices send to us: the new one is there before the old one ends [D-160]. */
export type RotationDriver = {
  /** A frame of the device was processed, or it has a new session: it may be time for a step. */
  readonly onReceived: (device: DeviceId) => void
  readonly online: () => void
  /** What is not granted yet is given up: a connection may have ended because of it. */
  readonly offline: () => void
}

export type RotationSource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly broker: BrokerConnection
  readonly mailboxes: Mailboxes
}

type Attempt = {
  /** What waits for its SUBACK. */
  asked: Uint8Array | undefined
  /** The connection ended before that. */
  isOver: boolean
}

export function openRotationDriver(source: RotationSource): RotationDriver {
  const { ports, queue, broker, mailboxes } = source
  const underWay = new Map<DeviceId, Attempt>()
  let reconciledAt = -Infinity
  let sparing: Promise<boolean> = Promise.resolve(false)
  // In turn, so that as many end as are refused.
  mailboxes.onRefused(() => (sparing = sparing.then(() => endOldest(source)).catch(noRoom)))

  /** What a process that died has left, and what is over. */
  async function reconcile(): Promise<void> {
    reconciledAt = ports.now()
    for (const id of queue.state().waiting.rotations()) {
      const next = rotationOf(queue.state(), id)?.next
      const isLeftOver = next !== undefined && next.length > 0 && underWay.get(id)?.isOver !== false
      if (isLeftOver) await undo(source, id, next)
      await endOld(source, id)
      await announceAgain(source, id)
    }
  }

  function start(id: DeviceId): void {
    const attempt: Attempt = { asked: undefined, isOver: false }
    underWay.set(id, attempt)
    const done = rotate(source, id, attempt).catch(ignoreFault)
    void done.finally(() => underWay.delete(id))
  }

  return {
    onReceived: (id) => {
      const now = ports.now()
      if (now - reconciledAt >= RECONCILE_EVERY_MS) detach(reconcile())
      if (mustNameAgain(queue.state(), id, now)) detach(announceAgain(source, id))
      const hasRoom = underWay.size < UNDER_WAY_MAX && mailboxes.refused() === 0
      if (!hasRoom || underWay.has(id) || broker.status().kind !== "online") return
      if (isRotationDue(queue.state(), id, now)) start(id)
    },
    online: () => detach(reconcile()),
    offline: () => {
      for (const attempt of underWay.values()) {
        if (attempt.asked === undefined) continue
        attempt.isOver = true
        detach(mailboxes.end(attempt.asked))
      }
    },
  }
}

async function rotate(source: RotationSource, id: DeviceId, attempt: Attempt): Promise<void> {
  const { ports, queue, mailboxes } = source
  const mailbox = await queue.run((state) => beginRotation(state, id, stepInput(ports)))
  if (mailbox === undefined) return
  attempt.asked = mailbox
  await mailboxes.request(mailbox).catch(ignoreFault)
  // Once it is granted it may be named, and then it stays.
  attempt.asked = undefined
  const isNamed = !attempt.isOver && mailboxes.isOpen(mailbox) && (await announce(source, id, mailbox))
  if (!isNamed) await undo(source, id, mailbox)
}

async function announce(
  { ports, queue, broker }: RotationSource,
  id: DeviceId,
  mailbox: Uint8Array,
): Promise<boolean> {
  const device = fromBase64url(broker.deviceId() ?? "")
  if (device === undefined) return false
  const to = { identity: ports.identity, inbox: { device, mailbox } }
  return queue.run((state) => nameNext(state, id, to, stepInput(ports)))
}

/** First at the broker: a process that dies in between finds it on disk, and no subscription is left over. */
async function undo(
  { ports, queue, mailboxes }: RotationSource,
  id: DeviceId,
  mailbox: Uint8Array,
): Promise<void> {
  if (await mailboxes.end(mailbox))
    await queue.run((state) => forgetNext(state, id, mailbox, stepInput(ports)))
}

async function endOld({ ports, queue, mailboxes }: RotationSource, id: DeviceId): Promise<void> {
  for (const mailbox of overdueMailboxes(queue.state(), id, ports.now())) {
    if (await mailboxes.end(mailbox)) await queue.run((state) => forgetOld(state, id, mailbox))
  }
}

/** A mailbox that a contact or an offer needs counts more than one that its device has left [D-162]. */
async function endOldest({ queue, mailboxes }: RotationSource): Promise<boolean> {
  const oldest = oldestLeft(queue.state())
  if (oldest === undefined || !(await mailboxes.end(oldest.mailbox))) return false
  await queue.run((state) => forgetOld(state, oldest.device, oldest.mailbox))
  return true
}

async function announceAgain({ ports, queue }: RotationSource, id: DeviceId): Promise<void> {
  if (!mustNameAgain(queue.state(), id, ports.now())) return
  await queue.run((state) => nameAgain(state, id, stepInput(ports)))
}

function detach(work: Promise<unknown>): void {
  work.catch(ignoreFault)
}

function noRoom(fault: unknown): boolean {
  ignoreFault(fault)
  return false
}

/** The disk is full, or the broker refuses: what is left over is seen by the next reconciliation. */
function ignoreFault(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}
