import type { Fault } from "../../errors.ts"
import type { Connect, ConnectionState, ConnectTarget } from "../../transport/transport.ts"
import { openInboxConnection, NO_EVENTS, type InboxConnection } from "./inbox-connection.ts"
import type { Connection } from "../state/ports.ts"

/** Reports the state of a guest's connection while it is needed. */
type OnGuestState = (state: Exclude<ConnectionState, { kind: "stopped" }>) => void

/** Asks a registrar, each time over its own guest connection: a guest may do nothing else. */
export class GuestConnections {
  readonly #connect: Connect
  readonly #onState: OnGuestState
  /** That of the request under way; there is one at a time. */
  #connection: InboxConnection | undefined

  constructor(connect: Connect, onState: OnGuestState) {
    this.#connect = connect
    this.#onState = onState
  }

  /** The registrar's answer. Rejects with its refusal, and when the connection ends for good, as it does by `interrupt`. */
  async request<Answer>(
    target: ConnectTarget,
    request: (connection: Connection) => Promise<Answer>,
  ): Promise<Answer> {
    let end: (why: Fault) => void = () => undefined
    const ended = new Promise<Fault>((resolve) => (end = resolve))
    const onState = (state: ConnectionState) => {
      if (state.kind === "stopped") end(state.why)
      else this.#onState(state)
    }
    const connection = openInboxConnection(this.#connect, target, { ...NO_EVENTS, onState })
    this.#connection = connection
    try {
      await connection.online()
      return await Promise.race([request(connection), ended.then(raise)])
    } finally {
      this.#connection = undefined
      await connection.close()
    }
  }

  /** Ends the pause before the next try to connect. */
  retry(): void {
    this.#connection?.retry()
  }

  /** Ends the request under way. */
  async interrupt(): Promise<void> {
    await this.#connection?.close()
  }
}

function raise(why: Fault): never {
  throw why
}
