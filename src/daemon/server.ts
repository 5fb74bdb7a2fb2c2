import { chmod, rm } from "node:fs/promises"
import { createServer, type ListenOptions, type Server } from "node:net"
import { dirname } from "node:path"
import type { Duplex } from "node:stream"

import { ACCESS, COMMANDS, type ChatClient, type Command } from "../chat/api.ts"
import { diskFault, Fault } from "../errors.ts"
import { makePrivateFolder } from "../fs/private-folder.ts"
import { Caller, type Service } from "./caller.ts"

/** More than the commands, chats and scripts of one person; whoever comes besides is not let in. */
export const CALLERS_MAX = 512

export type Served = { readonly close: () => Promise<void> }

/**
 * Lets other processes of this user ask the owner of a profile. As `serveCommands`. Such an owner is no daemon: it
 * cannot be locked, and ends by itself.
 */
export function serve(client: ChatClient, socketPath: string): Promise<Served> {
  const call: Service["call"] = (method, params) =>
    Object.hasOwn(ACCESS, method) ? Promise.reject(noDaemon()) : client.call(method as Command, params)
  const commands = { ...COMMANDS, ...ACCESS }
  return serveCommands({ commands, call, listen: client.listen }, socketPath)
}

function noDaemon(): Fault {
  return new Fault("unavailable", "a command has this profile open, and no daemon", "mqttchat daemon")
}

/**
 * Lets other processes of this user ask this one: JSON-RPC 2.0, one object a line, on a Unix socket of
 * mode 0600. The caller holds the lock that goes with it, so a socket that is there already is a dead owner's. `close`
 * answers what was asked and hears no more. Makes the socket's folder if there is none. Faults `io`, and `config` when
 * others may enter the folder: until it is 0600, only the folder keeps them from the socket.
 */
export async function serveCommands(service: Service, socketPath: string): Promise<Served> {
  makePrivateFolder(dirname(socketPath))
  const callers = new Callers(service)
  const server = createServer({ allowHalfOpen: true }, (socket) => callers.add(socket))
  server.maxConnections = CALLERS_MAX
  try {
    await rm(socketPath, { force: true })
    await listen(server, { path: socketPath })
    await chmod(socketPath, 0o600)
  } catch (cause) {
    server.close()
    throw diskFault(cause, `listen at ${socketPath}`)
  }
  return { close: () => closeAll(server, callers) }
}

/** Everybody who has been let in by one listener. */
export class Callers {
  readonly #service: Service
  readonly #all = new Set<Caller>()

  constructor(service: Service) {
    this.#service = service
  }

  add(stream: Duplex): void {
    const caller = new Caller(this.#service, stream)
    this.#all.add(caller)
    void caller.closed.then(() => this.#all.delete(caller))
  }

  async finish(): Promise<void> {
    await Promise.all([...this.#all].map((caller) => caller.finish()))
  }
}

export async function closeAll(server: Server, callers: Callers): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  await callers.finish()
  await closed
}

export function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(where, () => {
      server.off("error", reject)
      resolve()
    })
  })
}
