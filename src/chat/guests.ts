import { Fault } from "../errors.ts"
import type { Connect, ConnectionState, ConnectTarget } from "../transport/transport.ts"
import { openLine, UNHEARD, type Link } from "./line.ts"
import type { DeviceCredential, Line } from "./ports.ts"

/** How a guest's link goes, while it is wanted. */
type OnGuest = (state: Exclude<ConnectionState, { kind: "stopped" }>) => void

/** The links over which the profile asks a registrar for a certificate: a guest may do nothing else. */
export class Guests {
  readonly #connect: Connect
  readonly #onState: OnGuest
  readonly #links = new Set<Link>()

  constructor(connect: Connect, onState: OnGuest) {
    this.#connect = connect
    this.#onState = onState
  }

  /** What the registrar gives. Rejects with its refusal, and when the link ends for good, as it does by `close`. */
  async ask(
    target: ConnectTarget,
    question: (line: Line) => Promise<DeviceCredential>,
  ): Promise<DeviceCredential> {
    let end: (why: Fault) => void = () => undefined
    const ended = new Promise<Fault>((resolve) => (end = resolve))
    const onState = (state: ConnectionState) => {
      if (state.kind === "stopped") end(state.why)
      else this.#onState(state)
    }
    const link = openLine(this.#connect, target, { ...UNHEARD, onState })
    this.#links.add(link)
    try {
      await link.online()
      const answer = await Promise.race([question(link), ended])
      if (answer instanceof Fault) throw answer
      return answer
    } finally {
      this.#links.delete(link)
      await link.close()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()))
  }
}
