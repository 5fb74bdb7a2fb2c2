import { chmod, rm } from "node:fs/promises"
import { createServer, type ListenOptions, type Server } from "node:net"
import { dirname } from "node:path"
import type { Duplex } from "node:stream"

import { ACCESS, COMMANDS, type ChatClient, type Command } from "../engine/api.ts"
import { type Debug, NO_DEBUG } from "../debug/debug.ts"
import { Fault } from "../errors.ts"
import { diskFault } from "../fs/disk-fault.ts"
import { makePrivateFolder } from "../fs/private-folder.ts"
import { UnauthenticatedClients } from "../unauthenticated-clients.ts"
import { RpcConnection, type Service } from "./connection.ts"
import { debugService } from "./debug-service.ts"

/** More than one person's commands, chats and scripts need; further connections are refused. */
export const CONNECTIONS_MAX = 512
/** Of those that have not asked anything, or never end their first line, the oldest makes room. */
const SILENT_MAX = CONNECTIONS_MAX / 2

export type RunningServer = { readonly close: () => Promise<void> }

/**
 * Lets other processes of this user use the owner of a profile. As `serveCommands`. Such an owner is not a daemon: it
 * cannot be locked, and ends by itself.
 */
export function serveOwner(
  client: ChatClient,
  socketPath: string,
  debug: Debug = NO_DEBUG,
): Promise<RunningServer> {
  const call: Service["call"] = (method, params) =>
    Object.hasOwn(ACCESS, method) ? Promise.reject(noDaemon()) : client.call(method as Command, params)
  const commands = { ...COMMANDS, ...ACCESS }
  return serveCommands(debugService({ commands, call, listen: client.listen }, debug), socketPath)
}

function noDaemon(): Fault {
  return new Fault("unavailable", "this profile is open in a command, not in a daemon", "mqttchat daemon")
}

/**
 * Lets other processes of this user send requests to this one: JSON-RPC 2.0, one object a line, on a Unix socket of
 * mode 0600. The caller holds the lock that goes with it, so a socket that is there already is a dead owner's. `close`
 * answers pending requests and reads no more. Makes the socket's folder if there is none. Faults `io`, and `config` when
 * others may enter the folder: until it is 0600, only the folder keeps them from the socket.
 */
export async function serveCommands(service: Service, socketPath: string): Promise<RunningServer> {
  makePrivateFolder(dirname(socketPath))
  const connections = new RpcConnections(service)
  const server = createServer({ allowHalfOpen: true }, (socket) => connections.add(socket))
  server.maxConnections = CONNECTIONS_MAX
  try {
    await rm(socketPath, { force: true })
    await listen(server, { path: socketPath })
    await chmod(socketPath, 0o600)
  } catch (cause) {
    server.close()
    throw diskFault(cause, `listen at ${socketPath}`, socketPath)
  }
  return { close: () => closeAll(server, connections) }
}

/** All accepted connections of one listener. */
export class RpcConnections {
  readonly #service: Service
  readonly #all = new Set<RpcConnection>()
  readonly #silent = new UnauthenticatedClients(SILENT_MAX)

  constructor(service: Service) {
    this.#service = service
  }

  add(stream: Duplex): void {
    const hasAsked = this.#silent.add("", () => stream.destroy())
    const connection = new RpcConnection(this.#service, stream, hasAsked)
    this.#all.add(connection)
    void connection.closed.then(() => {
      hasAsked()
      this.#all.delete(connection)
    })
  }

  async finish(): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.finish()))
  }
}

export async function closeAll(server: Server, connections: RpcConnections): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  await connections.finish()
  await closed
}

export function listen(server: Server, address: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(address, () => {
      server.off("error", reject)
      resolve()
    })
  })
}
