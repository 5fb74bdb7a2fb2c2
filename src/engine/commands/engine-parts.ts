import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { LedgerWatcher } from "../connection/ledger-watcher.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { RecoveryDriver } from "../handshake/recovery-driver.ts"
import type { RotationDriver } from "../handshake/rotation-driver.ts"
import type { UnfinishedWatch } from "../accounts/unfinished-driver.ts"
import type { Expiry } from "../messages/expiry.ts"
import type { GapRequests } from "../messages/gap-requests.ts"
import type { Introductions } from "../messages/introductions.ts"
import type { Outbox } from "../messages/outbox.ts"
import type { Receipts } from "../messages/receipts.ts"
import type { ReturningDevices } from "../messages/returning-devices.ts"
import type { Reencryption } from "../messages/reencrypt-driver.ts"
import type { EnginePairing } from "../pairing/pairing-context.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import type { Ports } from "../state/ports.ts"
import type { TimeKeeper } from "../state/time-keeper.ts"

/** The parts of a running engine. */
export type EngineParts = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly time: TimeKeeper
  readonly outbox: Outbox
  readonly returning: ReturningDevices
  readonly receipts: Receipts
  readonly events: Events
  readonly expiry: Expiry
  readonly unfinished: UnfinishedWatch
  readonly mailboxes: Mailboxes
  readonly broker: BrokerConnection
  readonly ledger: LedgerWatcher
  readonly pairing: EnginePairing
  readonly gapRequests: GapRequests
  readonly recoveryDriver: RecoveryDriver
  readonly rotation: RotationDriver
  readonly reencryption: Reencryption
  readonly introductions: Introductions
}
