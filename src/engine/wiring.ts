import { fromBase64url } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ContactId } from "../store/records.ts"
import type { ConnectionState } from "../transport/transport.ts"
import { runEffects, type EffectParts } from "./effects.ts"
import { receiveFrame, type DispatchContext } from "./messages/dispatch.ts"
import { closing, expiredBundles } from "./handshake/bundles.ts"
import { EnginePairing } from "./pairing/pairing-context.ts"
import { seconds } from "./state/update.ts"
import { openExpiry, type Expiry } from "./messages/expiry.ts"
import { openGapRequests } from "./messages/gap-requests.ts"
import { BrokerConnection, statusOf } from "./connection/broker-connection.ts"
import { openCommitQueue, type CommitQueue } from "./state/commit-queue.ts"
import { openLimits } from "./state/limits.ts"
import { openMailboxes, type Mailboxes } from "./connection/mailboxes.ts"
import { Outbox } from "./messages/outbox.ts"
import type { Ports } from "./state/ports.ts"
import { openReceipts } from "./messages/receipts.ts"
import { openRecoveryDriver } from "./handshake/recovery-driver.ts"
import { openReencryption } from "./messages/reencrypt-driver.ts"
import { openReadMarkers } from "./messages/read-markers.ts"
import { openEvents, type Events } from "./state/event-emitter.ts"
import { noteReplaced } from "./connection/replaced-device.ts"
import type { EngineParts } from "./commands/engine-parts.ts"

/** What leaves last: a broker that does not answer is not waited for longer when the program ends. */
const CLOSE_TIMEOUT_MS = 2_000

/** Loads the profile's memory and starts connecting. The store stays the caller's to close. */
export async function openParts(ports: Ports): Promise<EngineParts> {
  let begin: (parts: EffectParts) => void = () => undefined
  const started = new Promise<EffectParts>((resolve) => (begin = resolve))
  const queue = await openCommitQueue(ports.store, async (effects) => runEffects(await started, effects))
  const events = openEvents()
  const expiry: Expiry = openExpiry(ports, queue)
  const outbox = new Outbox(ports, queue, (entry) => mailboxes.maySend(entry))
  const receipts = openReceipts(ports, queue, outbox)
  await forgetExpiredBundles(ports, queue)

  const broker = new BrokerConnection(ports)
  const mailboxes: Mailboxes = openMailboxes({
    state: queue.state,
    connection: () => broker.connection(),
    device: () => fromBase64url(broker.deviceId() ?? ""),
    onOpen: outbox.flush,
    onRefused: (why) => events.emit({ event: "notice", contact: null, text: why.message }),
  })
  const reencryption = openReencryption({
    ports,
    queue,
    outbox,
    runDetached: (work) => runDetached(events, work),
  })
  const parts = { ports, queue, outbox, receipts, events, expiry, mailboxes, broker, reencryption }
  const pairing: EnginePairing = new EnginePairing({ ...parts, onRefreshed: reencryption.start })
  const gapRequests = openGapRequests({
    ports,
    queue,
    isOnline: () => broker.status().kind === "online",
    onRequested: outbox.flush,
  })
  const recoveryDriver = openRecoveryDriver({
    ports,
    queue,
    inboxAt: pairing.inboxAt,
    onBegin: reencryption.start,
    onUnrecoverable: (contact, why) => notifyUnrecoverable(parts, contact, why),
  })
  const readMarkers = openReadMarkers(ports, queue, () => {
    expiry.rearm()
    outbox.flush()
  })
  const all = { ...parts, pairing, readMarkers, gapRequests, recoveryDriver }
  const dispatchContext = dispatchContextOf(all)
  begin(all)
  broker.start({
    onInboxFrame: (topic, payload) => receiveFrame(dispatchContext, topic, payload),
    onState: (state) => {
      outbox.setConnection(state.kind === "online" ? broker.connection() : undefined)
      if (state.kind === "online" && !state.sessionPresent) runDetached(events, outbox.flushNow())
      if (state.kind === "online") recoveryDriver.beginRestored()
      if (state.kind !== "offline") runDetached(events, recordReplaced(queue, state))
      events.emit({ event: "link", link: statusOf(state, true) })
    },
    onConnection: mailboxes.openAll,
  })
  return { ...all, close: () => close(parts, pairing) }
}

/** Where frames arrive. */
function dispatchContextOf(parts: Omit<EngineParts, "close">): DispatchContext {
  const { ports, queue, broker, receipts, gapRequests, outbox, recoveryDriver, pairing } = parts
  return {
    ports,
    queue,
    limits: openLimits(),
    deviceId: () => broker.deviceId(),
    connection: () => broker.connection(),
    onReceived: (contact, receiptsWait) => {
      if (receiptsWait) receipts.schedule(contact)
      gapRequests.watch(contact)
      outbox.flush()
    },
    onMatch: recoveryDriver.onMatch,
    onAccepted: (offer, accepted) => pairing.onAccepted(offer, accepted),
  }
}

type CoreParts = Pick<EngineParts, "ports" | "receipts" | "outbox" | "broker" | "queue" | "events">

function notifyUnrecoverable({ queue, events }: CoreParts, contact: ContactId, { message }: Fault): void {
  const name = queue.state().contacts.get(contact)?.name
  if (name === undefined) return
  const text = `what ${name} sends cannot be read: ${message}; mqttchat reset ${name}, or pair again: mqttchat pair`
  events.emit({ event: "notice", contact: name, text })
}

/** Whether another device has taken the place of this one. */
async function recordReplaced(
  queue: CommitQueue,
  connectionState: Exclude<ConnectionState, { kind: "offline" }>,
): Promise<void> {
  const isReplaced = connectionState.kind === "stopped" && connectionState.why.code === "replaced"
  if (connectionState.kind === "stopped" && !isReplaced) return
  await queue.run((state) =>
    noteReplaced(state, connectionState.kind === "stopped" ? connectionState.why : undefined),
  )
}

/** What nobody waits for and a later start does again must not end the process when the disk is full. */
function runDetached(events: Events, work: Promise<void>): void {
  work.catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
    events.emit({ event: "notice", contact: null, text: fault.message })
  })
}

async function forgetExpiredBundles(ports: Ports, queue: CommitQueue): Promise<void> {
  const now = seconds({ now: ports.now(), random: ports.random })
  await queue.run((state) => ({ commit: closing(expiredBundles(state, now)), effects: [], result: null }))
}

async function close(parts: CoreParts, pairing: EnginePairing): Promise<void> {
  const { ports, receipts, outbox, broker, queue } = parts
  pairing.close()
  await receipts.finish()
  let cancel: () => void = () => undefined
  const timeout = new Promise<void>((resolve) => (cancel = ports.after(CLOSE_TIMEOUT_MS, resolve)))
  await Promise.race([outbox.drained(), timeout])
  cancel()
  outbox.stop()
  await broker.close()
  await queue.idle()
}
