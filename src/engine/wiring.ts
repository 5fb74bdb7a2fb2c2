import { SerialQueue } from "../async/serial-queue.ts"
import type { ConnectionState } from "../transport/transport.ts"
import type { EngineParts } from "./commands/engine-parts.ts"
import { createOwnAccount } from "./accounts/own-account.ts"
import { watchUnfinished } from "./accounts/unfinished-driver.ts"
import { BrokerConnection, statusOf } from "./connection/broker-connection.ts"
import { LedgerWatcher, withLedger } from "./connection/ledger-watcher.ts"
import { openMailboxes } from "./connection/mailboxes.ts"
import { noteReplaced } from "./connection/replaced-device.ts"
import { runEffects } from "./effects.ts"
import { closing } from "./handshake/bundles.ts"
import { afterDamage } from "./handshake/damaged-store.ts"
import { openRecoveryDriver } from "./handshake/recovery-driver.ts"
import { openRotationDriver } from "./handshake/rotation-driver.ts"
import { receiveFrame } from "./messages/dispatch.ts"
import { UnverifiedBudget } from "./messages/unverified-budget.ts"
import { openExpiry } from "./messages/expiry.ts"
import { openGapRequests } from "./messages/gap-requests.ts"
import { openIntroductions } from "./messages/introductions.ts"
import { Outbox } from "./messages/outbox.ts"
import { openReceipts } from "./messages/receipts.ts"
import { ReturningDevices } from "./messages/returning-devices.ts"
import { openReencryption } from "./messages/reencrypt-driver.ts"
import { EnginePairing } from "./pairing/pairing-context.ts"
import { describeDoubt } from "./state/clock-doubt.ts"
import { openCommitQueue, type CommitQueue } from "./state/commit-queue.ts"
import { openEvents } from "./state/event-emitter.ts"
import { notice } from "./state/events.ts"
import { openLimits } from "./state/limits.ts"
import type { OutsidePorts, Ports } from "./state/ports.ts"
import { runDetached } from "./state/run-detached.ts"
import { keepTime, type TimeKeeper } from "./state/time-keeper.ts"
import { seconds, stepInput } from "./state/update.ts"

/** How long the end of the program waits for a broker that does not answer. */
const CLOSE_TIMEOUT_MS = 2_000

export type RunningEngine = EngineParts & { readonly close: () => Promise<void> }

/** Loads the profile's state and starts connecting. The caller closes the store. */
export async function openParts(outside: OutsidePorts): Promise<RunningEngine> {
  let begin: (parts: EngineParts) => void = () => undefined
  const begun = new Promise<EngineParts>((resolve) => (begin = resolve))
  const queue = await openCommitQueue(outside.store, async (effects) => runEffects(await begun, effects))
  const time = keepTime(outside, queue)
  const ports = { ...outside, now: time.now }
  await prepare(ports, queue, time)
  const parts = buildParts(ports, queue, time)
  begin(parts)
  if (ports.offline !== true) connect(parts)
  return { ...parts, close: () => close(parts) }
}

/** Each part is given the parts that it calls, which exist before it; what it causes elsewhere is an effect. */
function buildParts(outside: Ports, queue: CommitQueue, time: TimeKeeper): EngineParts {
  const events = openEvents()
  const ledger = new LedgerWatcher(outside, queue)
  const ports = withLedger(outside, ledger.watch)
  const broker = new BrokerConnection(ports)
  const mailboxes = openMailboxes({ queue, broker, events })
  const outbox = new Outbox({ ports, queue, mailboxes, maximumPacketSize: () => broker.maximumPacketSize() })
  return {
    ...{ ports, queue, time, events, broker, ledger, mailboxes, outbox },
    returning: new ReturningDevices({ ports, queue, events }),
    expiry: openExpiry(ports, queue),
    unfinished: watchUnfinished(ports, queue),
    receipts: openReceipts(ports, queue),
    reencryption: openReencryption(ports, queue, events),
    introductions: openIntroductions(ports, queue, events),
    gapRequests: openGapRequests(ports, queue, broker),
    recoveryDriver: openRecoveryDriver({ ports, queue, mailboxes, events }),
    rotation: openRotationDriver({ ports, queue, broker, mailboxes }),
    pairing: new EnginePairing({ ports, queue, broker, mailboxes, outbox, events }),
  }
}

function connect(parts: EngineParts): void {
  watchTime(parts)
  const { ports, queue, broker, mailboxes, recoveryDriver, returning } = parts
  const unverified = new UnverifiedBudget(ports)
  const opened = { limits: openLimits(), unverified, inits: new SerialQueue() }
  const context = { ports, queue, broker, recoveryDriver, returning, ...opened }
  broker.start({
    onInboxFrame: (topic, payload) => receiveFrame(context, topic, payload),
    onState: (state) => onConnectionState(parts, state),
    onConnection: ports.asksOnly === true ? () => undefined : mailboxes.openAll,
  })
}

/** What is due by now, after a time away that became known. */
function watchTime({ time, outbox, expiry, unfinished, events }: EngineParts): void {
  time.watch({
    onAdvanced: () => {
      outbox.flush()
      expiry.rearm()
      unfinished.rearm()
    },
    onDoubt: (doubt) => events.emit(notice(describeDoubt(doubt))),
  })
}

function onConnectionState(parts: EngineParts, state: ConnectionState): void {
  const { queue, outbox, broker, events, ledger, recoveryDriver, rotation, returning } = parts
  openAfterLoss(parts, state)
  outbox.setConnection(state.kind === "online" ? broker.connection() : undefined)
  if (state.kind === "online") runDetached(events, outbox.endRests())
  if (state.kind === "online" && !state.sessionPresent) runDetached(events, outbox.flushNow())
  if (state.kind === "online" && state.sessionPresent) runDetached(events, returning.probe())
  if (state.kind !== "online") returning.stop()
  if (state.kind === "online") ledger.online()
  else ledger.offline()
  if (state.kind === "online") rotation.online()
  else rotation.offline()
  if (state.kind === "online") recoveryDriver.beginRestored()
  if (state.kind !== "offline") runDetached(events, recordReplaced(queue, state))
  events.emit({ kind: "connection", connection: statusOf(state, true) })
}

/** A process that only asks leaves the subscriptions to the broker's session; one without a session would receive nothing [D-190]. */
function openAfterLoss({ ports, mailboxes }: EngineParts, state: ConnectionState): void {
  if (ports.asksOnly === true && state.kind === "online" && !state.sessionPresent) mailboxes.openAll()
}

/** Whether another device has replaced this one. */
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

/** One step, for its effects wait until all parts are there. */
async function prepare(ports: Ports, queue: CommitQueue, time: TimeKeeper): Promise<void> {
  const input = stepInput(ports)
  await queue.run((state) => {
    const { commit } = createOwnAccount(state, ports.identity)
    const damage = afterDamage(state, input)
    return {
      commit: [
        ...time.begin(),
        ...commit,
        ...closing(state.waiting.endOfBundles(seconds(input))),
        ...damage.commit,
      ],
      effects: damage.effects,
      result: null,
    }
  })
}

async function close({
  ports,
  time,
  pairing,
  receipts,
  outbox,
  broker,
  ledger,
  queue,
  returning,
}: EngineParts): Promise<void> {
  pairing.close()
  await receipts.finish()
  let cancel: () => void = () => undefined
  const timeout = new Promise<void>((resolve) => (cancel = ports.after(CLOSE_TIMEOUT_MS, resolve)))
  await Promise.race([outbox.drained(), timeout])
  cancel()
  outbox.stop()
  returning.stop()
  await ledger.close()
  await broker.close()
  await time.close()
  await queue.idle()
}
