import { Fault } from "../../src/errors.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { ConnectionState, ConnectTarget, Publisher, Transport } from "../../src/transport/transport.ts"

export type Frame = { readonly topic: string; readonly payload: Uint8Array }

/** A real connection that records the received frames, and lets a test await the next state of a kind. */
export type TransportFixture = Publisher & {
  readonly transport: Transport
  readonly frames: Frame[]
  readonly states: ConnectionState[]
  readonly state: <K extends ConnectionState["kind"]>(
    kind: K,
  ) => Promise<Extract<ConnectionState, { kind: K }>>
  readonly frame: () => Promise<Frame>
  readonly close: () => Promise<void>
}

/** `hold` is awaited before a frame counts as committed: a test's stand-in for the commit. */
export function openTransport(
  target: ConnectTarget,
  hold: (frame: Frame) => Promise<void> = () => Promise.resolve(),
): TransportFixture {
  const listeners = new Map<string, (payload: Uint8Array) => void>()
  const frames: Frame[] = []
  const states: ConnectionState[] = []
  let changed: (() => void)[] = []
  const wake = () => {
    const woken = changed
    changed = []
    for (const resolve of woken) resolve()
  }
  const change = () => new Promise<void>((resolve) => changed.push(resolve))
  let taken = 0
  const transport = connectMqtt(target, {
    onFrame: async (topic, payload) => {
      await hold({ topic, payload })
      frames.push({ topic, payload })
      listeners.get(topic)?.(payload)
      wake()
    },
    onState: (state) => {
      states.push(state)
      wake()
    },
  })
  return {
    transport,
    frames,
    states,
    publish: transport.publish,
    listen: async (topic, onFrame) => {
      listeners.set(topic, onFrame)
      await transport.subscribe(topic)
      return () => {
        listeners.delete(topic)
        void transport.unsubscribe(topic)
      }
    },
    state: async <K extends ConnectionState["kind"]>(kind: K) => {
      for (;;) {
        const last = states.at(-1)
        if (last !== undefined && isKind(last, kind)) return last
        await change()
      }
    },
    frame: async () => {
      for (;;) {
        const next = frames[taken]
        if (next !== undefined) {
          taken += 1
          return next
        }
        await change()
      }
    },
    close: transport.close,
  }
}

function isKind<K extends ConnectionState["kind"]>(
  state: ConnectionState,
  kind: K,
): state is Extract<ConnectionState, { kind: K }> {
  return state.kind === kind
}

/** The Fault a promise rejects with; anything else fails the test. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error("it was not refused")
}
