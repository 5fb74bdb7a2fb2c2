import { connect } from "node:net"
import { Duplex } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Caller } from "../../daemon/caller.ts"
import { KeyHolder, type Opened } from "../../daemon/key-holder.ts"
import { serveCommands } from "../../daemon/server.ts"
import { type LoopbackPlace, serveTcp } from "../../daemon/tcp.ts"
import { tokenAt } from "../../daemon/token.ts"
import { Fault } from "../../errors.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { formatAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../context.ts"
import { Lifetime } from "../lifetime.ts"
import { ownerOrLock, passphraseFor } from "../open.ts"
import { openProfile } from "../owner.ts"

export type DaemonOptions = {
  readonly stdio?: boolean
  readonly tcp?: LoopbackPlace
  /** Both in milliseconds. */
  readonly lockAfter?: number
  readonly endAfter?: number
}

/**
 * Owns the profile and answers whoever asks, until the command is ended. Over stdio it ends with its input; where the
 * profile has an owner already, stdio is handed on to that one. Faults `exists` where another process owns the profile,
 * and as `openProfile`.
 */
export async function runDaemon(context: Context, options: DaemonOptions): Promise<void> {
  const { paths, lifetime } = context
  const owner = await ownerOrLock(context)
  if (owner !== undefined) {
    if (options.stdio === true) return handOn(paths.socket)
    throw new Fault("exists", "the profile is open in another process already", "mqttchat daemon status")
  }
  const holder = await holdKeys(context, options)
  lifetime.defer(holder.close)
  const server = await serveCommands(holder, paths.socket)
  lifetime.defer(server.close)
  announce(context, options.tcp && (await openTcp(context, holder, options.tcp)), options)
  if (options.stdio === true) await serveStdio(context, holder)
  else await new Promise<never>(() => undefined)
}

async function holdKeys(context: Context, { lockAfter, endAfter }: DaemonOptions): Promise<KeyHolder> {
  const { out, lifetime, paths } = context
  const isLockable = await needsPassphrase({ path: paths.keyFile, purpose: "identity" })
  if (lockAfter !== undefined && !isLockable)
    throw new Fault("config", "no passphrase locks the keys of this profile", "mqttchat passwd")
  const open = (passphrase: string): Promise<Opened> => openAlone(context, passphrase)
  const holding = {
    open,
    isLockable,
    lockAfterMs: lockAfter,
    endAfterMs: endAfter,
    end: () => lifetime.end("done"),
    onTurn: (event: "locked" | "unlocked") => out.say(safe`the keys are ${display(event)}`),
  }
  return new KeyHolder(holding, await open(await passphraseFor(context)))
}

/** What is opened here is closed by itself, and may be opened again. */
async function openAlone(context: Context, passphrase: string): Promise<Opened> {
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
  holder: KeyHolder,
  place: LoopbackPlace,
): Promise<LoopbackPlace> {
  const server = await serveTcp(holder, place, tokenAt(paths.apiToken))
  lifetime.defer(server.close)
  return { ...place, port: server.port }
}

/** Of the token only where it lies. stdout belongs to whoever asks over stdio. */
function announce({ out, paths }: Context, tcp: LoopbackPlace | undefined, { stdio }: DaemonOptions): void {
  const { socket, apiToken } = paths
  if (out.json && stdio !== true) {
    out.record("mqttchat/daemon/1", { socket, ...(tcp && { tcp, token: apiToken }) })
    return
  }
  out.done(safe`daemon running   ${display(socket)}`)
  if (tcp !== undefined)
    out.say(safe`over TCP         ${display(formatAddress(tcp))}, token in ${display(apiToken)}`)
}

async function serveStdio({ lifetime }: Context, holder: KeyHolder): Promise<void> {
  const caller = new Caller(holder, Duplex.from({ readable: process.stdin, writable: process.stdout }))
  lifetime.defer(() => caller.finish())
  await caller.closed
}

async function handOn(socketPath: string): Promise<void> {
  const socket = connect({ path: socketPath, allowHalfOpen: true })
  await Promise.all([pipeline(process.stdin, socket), pipeline(socket, process.stdout)])
}
