import { connect } from "node:net"
import { Duplex } from "node:stream"
import { pipeline } from "node:stream/promises"
import { RpcConnection, type Service } from "../../daemon/connection.ts"
import { LockableProfile, type OpenProfile } from "../../daemon/lockable-profile.ts"
import { debugService } from "../../daemon/debug-service.ts"
import { serveCommands } from "../../daemon/server.ts"
import { type LoopbackAddress, serveTcp } from "../../daemon/tcp.ts"
import { readOrCreateToken } from "../../daemon/token.ts"
import type { ChatClient } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { formatAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { Lifetime } from "../terminal/lifetime.ts"
import { ownerOrLock, passphraseFor } from "../profile/open-client.ts"
import { openMachineClocks, openTimers } from "../profile/machine-clocks.ts"
import { openProfile } from "../profile/profile-owner.ts"
import { stdoutStream } from "../terminal/stdout-stream.ts"

export type DaemonOptions = {
  readonly stdio?: boolean
  readonly tcp?: LoopbackAddress
  /** Both in milliseconds. */
  readonly lockAfter?: number
  readonly endAfter?: number
}

/**
 * Owns the profile and answers its clients until the command ends. Over stdio it ends with its input. If the profile
 * has an owner already, stdio is passed on to it. Faults `exists` where another process owns the profile,
 * and as `openProfile`.
 */
export async function runDaemon(context: Context, options: DaemonOptions): Promise<void> {
  const { paths, lifetime } = context
  const owner = await ownerOrLock(context)
  if (owner !== undefined) {
    if (options.stdio === true) return forwardStdio(context, owner)
    throw new Fault("exists", "the profile is open in another process already", "mqttchat daemon status")
  }
  const service = await openService(context, options)
  lifetime.defer(service.close)
  const served = debugService(service, context.debug)
  const server = await serveCommands(served, paths.socket)
  lifetime.defer(server.close)
  announce(context, options.tcp && (await openTcp(context, served, options.tcp)), options)
  if (options.stdio === true) await serveStdio(context, served)
  else await new Promise<never>(() => undefined)
}

async function openService(
  context: Context,
  { lockAfter, endAfter }: DaemonOptions,
): Promise<LockableProfile> {
  const { out, lifetime, paths } = context
  const isLockable = await needsPassphrase({ path: paths.keyFile, purpose: "identity" })
  if (lockAfter !== undefined && !isLockable)
    throw new Fault("config", "the keys of this profile have no passphrase", "mqttchat passwd")
  const open = (passphrase: string): Promise<OpenProfile> => openOwnProfile(context, passphrase)
  const { uptime } = openMachineClocks()
  const { after, clear } = openTimers(uptime)
  lifetime.defer(clear)
  const serviceOptions = {
    clock: { uptime, after },
    open,
    isLockable,
    lockAfterMs: lockAfter,
    endAfterMs: endAfter,
    end: () => lifetime.end("done"),
    onLockChange: (event: "locked" | "unlocked") => out.info(safe`the keys are ${display(event)}`),
  }
  return new LockableProfile(serviceOptions, await open(await passphraseFor(context)))
}

/** Opens the profile on its own lifetime, so that it can be closed and opened again. */
async function openOwnProfile(context: Context, passphrase: string): Promise<OpenProfile> {
  const lifetime = new Lifetime()
  const close = (): Promise<void> => lifetime.close()
  try {
    return { client: await openProfile({ ...context, lifetime }, passphrase, "shared"), close }
  } catch (cause) {
    await close()
    throw cause
  }
}

async function openTcp(
  { paths, lifetime }: Context,
  service: Service,
  address: LoopbackAddress,
): Promise<LoopbackAddress> {
  const server = await serveTcp(service, address, await readOrCreateToken(paths.apiToken))
  lifetime.defer(server.close)
  return { ...address, port: server.port }
}

/** Prints the path of the token, never the token. Goes to stderr: with --stdio, stdout belongs to the client. */
function announce({ out, paths }: Context, tcp: LoopbackAddress | undefined, { stdio }: DaemonOptions): void {
  const { socket, apiToken } = paths
  if (out.json && stdio !== true) {
    out.report.record("mqttchat/daemon/1", { socket, ...(tcp && { tcp, token: apiToken }) })
    return
  }
  out.done(safe`daemon running   ${display(socket)}`)
  if (tcp !== undefined)
    out.info(safe`over TCP         ${display(formatAddress(tcp))}, token in ${display(apiToken)}`)
}

async function serveStdio({ lifetime, out }: Context, service: Service): Promise<void> {
  const connection = new RpcConnection(
    service,
    Duplex.from({ readable: process.stdin, writable: stdoutStream(out) }),
  )
  lifetime.defer(() => connection.finish())
  await connection.closed
}

/** Rejects when the owner no longer answers: the client that it is for would wait for ever. */
function silenceOf(owner: ChatClient): Promise<never> {
  return new Promise((_resolve, reject) => {
    owner.listen((event) => {
      if (event.kind !== "connection" || event.connection.kind !== "stopped") return
      const { code, reason } = event.connection
      if (code === "unanswered") reject(new Fault(code, reason))
    })
  })
}

async function forwardStdio({ paths, out }: Context, owner: ChatClient): Promise<void> {
  const socket = connect({ path: paths.socket, allowHalfOpen: true })
  const both = Promise.all([pipeline(process.stdin, socket), pipeline(socket, stdoutStream(out))])
  // without stdout there is no client to answer, and the socket is closed
  await Promise.race([both, out.lost, silenceOf(owner)])
}
