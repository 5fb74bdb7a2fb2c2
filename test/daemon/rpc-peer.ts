import { connect, type NetConnectOpts, type Socket } from "node:net"
import { createInterface } from "node:readline"
import { onTestFinished } from "vitest"

/** An object as received. */
export type RpcObject = { readonly [field: string]: unknown }

/** A client that writes raw requests to a daemon. */
export class Peer {
  readonly socket: Socket
  readonly #received: RpcObject[] = []
  #changed: () => void = () => undefined
  #hasEnded = false
  #requests = 0

  constructor(where: NetConnectOpts) {
    this.socket = connect({ ...where, allowHalfOpen: true })
    onTestFinished(() => void this.socket.destroy())
    createInterface({ input: this.socket }).on("line", (line) => {
      this.#received.push(JSON.parse(line) as RpcObject)
      this.#changed()
    })
    // Most of these tests expect to be disconnected.
    this.socket.on("error", () => this.socket.destroy())
    for (const event of ["end", "close"]) {
      this.socket.once(event, () => {
        this.#hasEnded = true
        this.#changed()
      })
    }
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  /** Sends a request and gives the answer. */
  async ask(method: string, params: object = {}): Promise<RpcObject> {
    const id = this.#requests++
    this.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
    return this.waitFor((received) => received["id"] === id)
  }

  /** The first object that matches, received before or from now on; fails when the connection ends without one. */
  async waitFor(matches: (received: RpcObject) => boolean): Promise<RpcObject> {
    for (;;) {
      const found = this.#received.find(matches)
      if (found !== undefined) return found
      if (this.#hasEnded) throw new Error(`the connection ended after ${JSON.stringify(this.#received)}`)
      await this.#change()
    }
  }

  /** The first object that matches, of those received after another one. */
  async waitForAfter(earlier: RpcObject, matches: (received: RpcObject) => boolean): Promise<RpcObject> {
    const place = this.#received.indexOf(earlier)
    return this.waitFor((received) => this.#received.indexOf(received) > place && matches(received))
  }

  /** The first object; undefined when the connection ends without one. */
  async first(): Promise<RpcObject | undefined> {
    while (!this.#hasEnded && this.#received.length === 0) await this.#change()
    return this.#received[0]
  }

  /** All that was received, when the other side has closed. */
  async ended(): Promise<readonly RpcObject[]> {
    while (!this.#hasEnded) await this.#change()
    return this.#received
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#changed = resolve))
  }
}

export const eventIs =
  (event: string) =>
  ({ params }: RpcObject): boolean =>
    (params as RpcObject | undefined)?.["kind"] === event
