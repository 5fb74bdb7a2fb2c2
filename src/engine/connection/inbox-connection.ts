import { Fault } from "../../errors.ts"
import type { Connect, ConnectionState, ConnectTarget, Transport } from "../../transport/transport.ts"
import type { ClosableConnection } from "../state/ports.ts"

/** A connection that also takes subscriptions without a listener: their frames go to `onInboxFrame`. */
export type InboxConnection = ClosableConnection & Pick<Transport, "subscribe" | "unsubscribe" | "retry">

export type InboxConnectionEvents = {
  /** Frames on topics without a listener of their own; PUBACK waits for the promise. */
  readonly onInboxFrame: (topic: string, payload: Uint8Array) => Promise<void>
  readonly onState: (state: ConnectionState) => void
}

/** For a connection that only its listeners need. */
export const NO_EVENTS: InboxConnectionEvents = {
  onInboxFrame: () => Promise.resolve(),
  onState: () => undefined,
}

type Waiter = { readonly resolve: () => void; readonly reject: (why: Fault) => void }

/** Starts a connection and shares it between listeners. */
export function openInboxConnection(
  connect: Connect,
  target: ConnectTarget,
  events: InboxConnectionEvents,
): InboxConnection {
  const listeners = new Map<string, (payload: Uint8Array) => void>()
  let state: ConnectionState | undefined
  let waiters: Waiter[] = []

  function onState(next: ConnectionState): void {
    state = next
    if (next.kind !== "offline") {
      const ready = waiters
      waiters = []
      for (const waiter of ready) settleWaiter(waiter, next)
    }
    events.onState(next)
  }

  const transport: Transport = connect(target, {
    onFrame: (topic, payload) => {
      const listener = listeners.get(topic)
      if (listener === undefined) return events.onInboxFrame(topic, payload)
      listener(payload)
      return Promise.resolve()
    },
    onState,
  })

  return {
    publish: transport.publish,
    subscribe: transport.subscribe,
    unsubscribe: transport.unsubscribe,
    serverPins: transport.serverPins,
    retry: transport.retry,
    listen: async (topic, onFrame) => {
      listeners.set(topic, onFrame)
      await transport.subscribe(topic)
      return () => {
        if (listeners.get(topic) !== onFrame) return
        listeners.delete(topic)
        void transport.unsubscribe(topic)
      }
    },
    online: () =>
      new Promise((resolve, reject) => {
        const waiter = { resolve, reject }
        if (state === undefined || state.kind === "offline") waiters.push(waiter)
        else settleWaiter(waiter, state)
      }),
    close: async () => {
      await transport.close()
      onState({ kind: "stopped", why: new Fault("unavailable", "the connection was closed") })
    },
  }
}

function settleWaiter(waiter: Waiter, state: ConnectionState): void {
  if (state.kind === "online") waiter.resolve()
  else waiter.reject(state.why)
}
