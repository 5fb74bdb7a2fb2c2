import { connect, type NetConnectOpts, type Socket } from "node:net"
import { createInterface } from "node:readline"
import { onTestFinished } from "vitest"

/** An object as it came over the wire. */
export type Said = { readonly [field: string]: unknown }

/** A program that speaks to a daemon by hand. */
export class Peer {
  readonly socket: Socket
  readonly #said: Said[] = []
  #changed: () => void = () => undefined
  #over = false
  #requests = 0

  constructor(where: NetConnectOpts) {
    this.socket = connect({ ...where, allowHalfOpen: true })
    onTestFinished(() => void this.socket.destroy())
    createInterface({ input: this.socket }).on("line", (line) => {
      this.#said.push(JSON.parse(line) as Said)
      this.#changed()
    })
    // Being cut off is what most of these are here to see.
    this.socket.on("error", () => this.socket.destroy())
    for (const event of ["end", "close"]) {
      this.socket.once(event, () => {
        this.#over = true
        this.#changed()
      })
    }
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  /** Asks, and gives the answer. */
  async ask(method: string, params: object = {}): Promise<Said> {
    const id = this.#requests++
    this.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
    return this.hears((said) => said["id"] === id)
  }

  /** The first object, of all said before or from now on, that fits; fails when the connection ends without. */
  async hears(fits: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const found = this.#said.find(fits)
      if (found !== undefined) return found
      if (this.#over) throw new Error(`the connection ended after ${JSON.stringify(this.#said)}`)
      await this.#change()
    }
  }

  /** The first object; undefined when the connection ends without. */
  async first(): Promise<Said | undefined> {
    while (!this.#over && this.#said.length === 0) await this.#change()
    return this.#said[0]
  }

  /** All that was said, when the other side has ended. */
  async ended(): Promise<readonly Said[]> {
    while (!this.#over) await this.#change()
    return this.#said
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#changed = resolve))
  }
}

export const eventIs =
  (event: string) =>
  ({ params }: Said): boolean =>
    (params as Said | undefined)?.["event"] === event
