import { fromBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { DeviceId } from "../../store/ids.ts"
import { HOUR_MS } from "../../time-units.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import type { Ports } from "../state/ports.ts"
import { runDetached } from "../state/run-detached.ts"
import { stepInput } from "../state/update.ts"
import {
  beginRotation,
  forgetNext,
  forgetOld,
  isRotationDue,
  mustNameAgain,
  nameAgain,
  nameNext,
  overdueMailboxes,
  rotationOf,
} from "./mailbox-rotation.ts"

/** After a week away all contacts are due at once: each rotation is a subscription, a key pair and two commits. */
const UNDER_WAY_MAX = 4
/** How often the mailboxes of all devices are looked through while frames come. */
const LOOK_EVERY_MS = HOUR_MS

/** Replaces the mailboxes in which contacts' devices send to us: the new one is there before the old one ends [D-160]. */
export type RotationDriver = {
  /** A frame of the device was processed, or it has a new session: it may be time for a step. */
  readonly onHeard: (device: DeviceId) => void
  readonly online: () => void
  /** What is not granted yet is given up: a connection may have ended because of it. */
  readonly offline: () => void
}

export type RotationSource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly broker: BrokerConnection
  readonly mailboxes: Mailboxes
  readonly events: Events
}

type Attempt = { mailbox: Uint8Array | undefined; isOver: boolean }

export function openRotationDriver({ ports, queue, broker, mailboxes, events }: RotationSource): RotationDriver {
  const underWay = new Map<DeviceId, Attempt>()
  let lookedAt = -Infinity

  async function rotate(id: DeviceId, attempt: Attempt): Promise<void> {
    const mailbox = await queue.run((state) => beginRotation(state, id, stepInput(ports)))
    if (mailbox === undefined) return
    attempt.mailbox = mailbox
    await mailboxes.open(mailbox).catch(ignoreFault)
    const isNamed = !attempt.isOver && mailboxes.isOpen(mailbox) && (await name(id, mailbox))
    if (!isNamed) await undo(id, mailbox)
  }

  async function name(id: DeviceId, mailbox: Uint8Array): Promise<boolean> {
    const device = fromBase64url(broker.deviceId() ?? "")
    if (device === undefined) return false
    const to = { identity: ports.identity, inbox: { device, mailbox } }
    return queue.run((state) => nameNext(state, id, to, stepInput(ports)))
  }

  /** First at the broker: a process that dies in between finds it on disk, and no subscription is left over. */
  async function undo(id: DeviceId, mailbox: Uint8Array): Promise<void> {
    if (await mailboxes.end(mailbox))
      await queue.run((state) => forgetNext(state, id, mailbox, stepInput(ports)))
  }

  async function endOld(id: DeviceId): Promise<void> {
    for (const mailbox of overdueMailboxes(queue.state(), id, ports.now())) {
      if (await mailboxes.end(mailbox)) await queue.run((state) => forgetOld(state, id, mailbox))
    }
  }

  /** What a process that died has left, and what is over. */
  async function lookThrough(): Promise<void> {
    lookedAt = ports.now()
    for (const id of [...queue.state().devices.keys()]) {
      const next = rotationOf(queue.state(), id)?.next
      if (next !== undefined && next.length > 0 && !underWay.has(id)) await undo(id, next)
      await endOld(id)
      await tellAgain(id)
    }
  }

  async function tellAgain(id: DeviceId): Promise<void> {
    if (!mustNameAgain(queue.state(), id, ports.now())) return
    await queue.run((state) => nameAgain(state, id, stepInput(ports)))
  }

  function start(id: DeviceId): void {
    const attempt: Attempt = { mailbox: undefined, isOver: false }
    underWay.set(id, attempt)
    const done = rotate(id, attempt).catch(ignoreFault)
    runDetached(
      events,
      done.finally(() => underWay.delete(id)),
    )
  }

  return {
    onHeard: (id) => {
      const now = ports.now()
      if (now - lookedAt >= LOOK_EVERY_MS) runDetached(events, lookThrough())
      if (mustNameAgain(queue.state(), id, now)) runDetached(events, tellAgain(id))
      const hasRoom = underWay.size < UNDER_WAY_MAX && mailboxes.refused() === 0
      if (!hasRoom || underWay.has(id) || broker.status().kind !== "online") return
      if (isRotationDue(queue.state(), id, now)) start(id)
    },
    online: () => runDetached(events, lookThrough()),
    offline: () => {
      for (const attempt of underWay.values()) {
        attempt.isOver = true
        if (attempt.mailbox !== undefined) runDetached(events, mailboxes.end(attempt.mailbox))
      }
    },
  }
}

/** The disk is full, or the broker refuses: what is left over is seen by the next look. */
function ignoreFault(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}
