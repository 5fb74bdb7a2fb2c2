import type { Debug } from "../../debug/debug.ts"
import { shortId } from "../../debug/fields.ts"
import { Fault } from "../../errors.ts"
import type { CommitReport, OutgoingRecord, Write } from "../../store/records.ts"
import type { LoadedState, Store } from "../../store/message-store.ts"

/** The same store, with debug lines for what is written: every change of a handshake or frame passes here. */
export function debugStore(store: Store, debug: Debug): Store {
  return {
    ...store,
    load: async () => {
      const loaded = await store.load()
      noteLoad(debug, loaded)
      return loaded
    },
    commit: (writes) => commit(store, writes, debug),
    close: () => {
      debug("store", "close", {})
      return store.close()
    },
  }
}

function noteLoad(debug: Debug, { contacts, devices, outgoing, held, openBundles }: LoadedState): void {
  debug("store", "load", {
    contacts: contacts.length,
    devices: devices.length,
    outgoing: outgoing.length,
    held: held.length,
    offers: openBundles.length,
  })
}

async function commit(store: Store, writes: readonly Write[], debug: Debug): Promise<CommitReport> {
  const startedAt = performance.now()
  const ms = (): number => Math.round(performance.now() - startedAt)
  let report: CommitReport
  try {
    report = await store.commit(writes)
  } catch (cause) {
    debug("store", "failed", { ms: ms(), code: cause instanceof Fault ? cause.code : "bug" })
    throw cause
  }
  debug("store", "commit", { changes: writes.length, ms: ms() })
  for (const write of writes) noteWrite(debug, write)
  return report
}

function noteWrite(debug: Debug, write: Write): void {
  switch (write.kind) {
    case "contact": {
      const { id: contact, verified, blocked } = write.contact
      debug("handshake", "contact", { contact, verified, blocked })
      return
    }
    case "device": {
      const { id: device, contact, state, mailbox } = write.device
      debug("handshake", "device", { device, contact, state, mailbox: shortId(mailbox) })
      return
    }
    case "forget-contact":
      debug("handshake", "forget", { contact: write.id })
      return
    case "open-bundle": {
      const { mailbox, device } = write.bundle
      debug("handshake", "offer", { mailbox: shortId(mailbox), device: device ?? undefined })
      return
    }
    case "close-bundle":
      debug("handshake", "offer-closed", {})
      return
    case "message":
      noteMessage(debug, write)
      return
    case "message-state": {
      const { contact, id, state } = write
      debug("outbox", "state", { contact, message: shortId(id), state })
      return
    }
    case "outgoing":
      noteOutgoing(debug, write.outgoing)
      return
    case "outgoing-done":
      debug("outbox", "done", { frame: write.seq })
      return
    // The line of the commit says how much is written.
    case "session":
    case "end-session":
    case "forget-device":
    case "account-links":
    case "own-link":
    case "superseded-key":
    case "conversation":
    case "recipient":
    case "received-frame":
    case "shown":
    case "expire":
    case "move-timers":
    case "delete":
    case "delete-waiting":
    case "known-id":
    case "held":
    case "held-done":
    case "adopt-history":
    case "introduction":
    case "introduction-done":
    case "change":
    case "setting":
    case "device-part":
    case "event":
      return
  }
}

function noteMessage(debug: Debug, { message, recipients = [] }: Extract<Write, { kind: "message" }>): void {
  const { author, id, kind, state } = message
  if (kind === "line") return
  if (author !== null) debug("inbox", "message", { contact: author, message: shortId(id) })
  else
    for (const { contact } of recipients) debug("outbox", "state", { contact, message: shortId(id), state })
}

function noteOutgoing(debug: Debug, outgoing: OutgoingRecord): void {
  const { seq: frame, device, kind, mid, wire, published, attempts } = outgoing
  const bytes = wire.length
  debug("outbox", "frame", { frame, device, kind, message: shortId(mid), bytes, published, attempts })
}
