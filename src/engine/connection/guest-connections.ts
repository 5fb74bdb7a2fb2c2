import { Fault } from "../../errors.ts"
import type { Connect, ConnectionState, ConnectTarget } from "../../transport/transport.ts"
import { openInboxConnection, NO_EVENTS, type InboxConnection } from "./inbox-connection.ts"
import type { DeviceCredential, Connection } from "../state/ports.ts"

/** How a guest's link goes, while it is wanted. */
type OnGuestState = (state: Exclude<ConnectionState, { kind: "stopped" }>) => void

/** The links over which the profile asks a registrar for a certificate: a guest may do nothing else. */
export class GuestConnections {
  readonly #connect: Connect
  readonly #onState: OnGuestState
  readonly #connections = new Set<InboxConnection>()

  constructor(connect: Connect, onState: OnGuestState) {
    this.#connect = connect
    this.#onState = onState
  }

  /** What the registrar gives. Rejects with its refusal, and when the link ends for good, as it does by `close`. */
  async request(
    target: ConnectTarget,
    request: (connection: Connection) => Promise<DeviceCredential>,
  ): Promise<DeviceCredential> {
    let end: (why: Fault) => void = () => undefined
    const ended = new Promise<Fault>((resolve) => (end = resolve))
    const onState = (state: ConnectionState) => {
      if (state.kind === "stopped") end(state.why)
      else this.#onState(state)
    }
    const connection = openInboxConnection(this.#connect, target, { ...NO_EVENTS, onState })
    this.#connections.add(connection)
    try {
      await connection.online()
      const answer = await Promise.race([request(connection), ended])
      if (answer instanceof Fault) throw answer
      return answer
    } finally {
      this.#connections.delete(connection)
      await connection.close()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close()))
  }
}
