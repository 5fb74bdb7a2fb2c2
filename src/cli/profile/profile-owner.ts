import { existsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { ChatClient } from "../../engine/api.ts"
import { openEngine } from "../../engine/engine.ts"
import type { BrokerConfig, ProfileConfig, Ports } from "../../engine/state/ports.ts"
import type { UnverifiedLimits } from "../../engine/state/limits.ts"
import { BACKENDS, LIGHT_BACKENDS, useBackend } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { type Debug, NO_DEBUG } from "../../debug/debug.ts"
import { Fault } from "../../errors.ts"
import { setAside } from "../../fs/set-aside.ts"
import { type KeyFile, openKeyFile, wipe } from "../../keystore/keyfile.ts"
import { lookAtSettings, type Settings, writeSettings } from "../../settings.ts"
import { LOST_STORE_HINT } from "../../store/database.ts"
import { openStore } from "../../store/store.ts"
import type { Applicant } from "../../transport/enroll.ts"
import {
  brokerConfigOf,
  readOperatorInvitation,
  writeOperatorInvitation,
  readBrokerDescriptor,
} from "./broker-descriptor.ts"
import { openMachineClocks, openTimers } from "./machine-clocks.ts"
import type { LedgerWatch } from "../../wire/ledger-view.ts"
import { brokerOf, settingsOf } from "./broker-settings.ts"
import { openSettings, refuseContradiction } from "./recover-settings.ts"
import { storeSettings } from "./settings-copy.ts"
import { unverifiedLimitsOf } from "./unverified-limits.ts"
import { debugConnect } from "../debug/debug-connect.ts"
import { debugStore } from "../debug/debug-store.ts"
import type { Context } from "../terminal/context.ts"
import { failpointOf } from "./failpoint.ts"
import type { Store } from "../../store/message-store.ts"
import { display, safe } from "../../wire/text.ts"

/**
 * Whether others may use the profile through this process while it is open; `reading` is a brief one that needs only what
 * is here, and does not connect; `asking` is one that asks how the broker is, and leaves its session as it is.
 */
export type OwnerMode = "shared" | "brief" | "reading" | "asking"

/** This process becomes the profile's owner. The lock is the caller's. As `openProfile`. */
export async function becomeOwner(
  context: Context,
  passphrase: string,
  mode: OwnerMode,
): Promise<ChatClient> {
  const client = await openProfile(context, passphrase, mode)
  if (mode === "shared") {
    const { serveOwner } = await import("../../daemon/server.ts")
    const server = await serveOwner(client, context.paths.socket, context.debug)
    context.lifetime.defer(server.close)
  }
  return client
}

/** Wires store, engine and transport together. Faults `refused`, `damaged-…`, `config`. */
export async function openProfile(
  context: Context,
  passphrase: string,
  mode: OwnerMode,
): Promise<ChatClient> {
  const { paths, lifetime, env, debug } = context
  await useBackend(env["MQTTCHAT_CRYPTO"], mode === "shared" ? BACKENDS : LIGHT_BACKENDS)
  const keyFile = await openKeyFile(paths.keyFile, passphrase, systemRandom)
  refuseLostStore(paths.database)
  lifetime.defer(() => wipe(keyFile.ring))
  const store = await openStore(paths.database, keyFile.ring.databaseKey)
  lifetime.defer(store.close)
  await warnOfDamage(context, store)
  const settings = await openSettings(context, store, keyFile.ring.credential)
  const { identity } = keyFile.ring
  const clocks = openMachineClocks()
  const { after, clear } = openTimers(clocks.uptime)
  // Timers would keep the process alive.
  lifetime.defer(clear)
  const keep = (changed: Settings): Promise<void> => storeSettings(store, changed)
  const config = profileConfigFor(context, { settings, keep }, keyFile)
  const client = await openEngine({
    ...(await edgePorts(store, { mode, debug })),
    identity,
    name: config.name,
    ...enrollmentPorts({ identity, random: systemRandom, after }),
    config,
    unverifiedLimits: config.unverifiedLimits,
    ...clocks,
    random: systemRandom,
    after,
    reach: failpointOf(env),
    debug,
  })
  lifetime.defer(client.close)
  return client
}

/** Without debug output there is no wrapper around store and connection. */
async function edgePorts(
  store: Store,
  { mode, debug }: { readonly mode: OwnerMode; readonly debug: Debug },
): Promise<Pick<Ports, "store" | "connect" | "offline" | "asksOnly">> {
  // The MQTT client is slow to load.
  const connect = mode === "reading" ? refuseToConnect : (await import("../../transport/mqtt.ts")).connectMqtt
  const how = { offline: mode === "reading", asksOnly: mode === "asking" }
  if (debug === NO_DEBUG) return { store, connect, ...how }
  return { store: debugStore(store, debug), connect: debugConnect(connect, debug), ...how }
}

function refuseToConnect(): never {
  throw new Fault("bug", "a command that only reads was about to connect")
}

/** Each conversation says so as well; only here is told where the rest is. */
async function warnOfDamage({ out, paths }: Context, store: Store): Promise<void> {
  const copy = Buffer.from((await store.setting("damaged-log")) ?? []).toString("utf8")
  if (copy === "") return
  const kept = display(join(dirname(paths.database), copy))
  out.warn(safe`the message store was damaged, and what it had stored last is missing; see mqttchat history`)
  out.info(safe`the damaged part is kept in ${kept}`)
}

/** A new empty store in its place would silently lose every conversation. */
export function refuseLostStore(path: string): void {
  if (existsSync(path) && statSync(path).size > 0) return
  const message = `the messages of this profile are gone: ${path} is missing or empty`
  throw new Fault("damaged-database", message, LOST_STORE_HINT)
}

type RegistrarPorts = Pick<Ports, "enroll" | "restore" | "renew" | "invite" | "requestHead">

/** Enrolment needs an X.509 library, which is slow to load and used once in a device's life. */
function enrollmentPorts(unwatched: Applicant): RegistrarPorts {
  const enrolling = () => import("../../transport/enroll.ts")
  const applicant = (ledger?: LedgerWatch): Applicant => ({ ...unwatched, ...(ledger && { ledger }) })
  return {
    enroll: async (request, ledger) => (await enrolling()).enroll(applicant(ledger), request),
    restore: async (request, ledger) => (await enrolling()).restore(applicant(ledger), request),
    renew: async (request, ledger) => (await enrolling()).renew(applicant(ledger), request),
    invite: async (request, ledger) => {
      const { requestDevice, requestInvitation } = await enrolling()
      return (request.to === "device" ? requestDevice : requestInvitation)(applicant(ledger), request)
    },
    requestHead: async (request, ledger) => (await enrolling()).requestHead(applicant(ledger), request),
  }
}

/** The settings of an open profile, and what keeps a copy of them. */
export type OpenSettings = {
  readonly settings: Settings
  readonly keep: (settings: Settings) => Promise<void>
}

/** Reads and saves what the engine knows about its broker: settings, key file, and the folder of our own broker. */
export function profileConfigFor(
  { paths }: Context,
  { settings, keep }: OpenSettings,
  keyFile: KeyFile,
): ProfileConfig & { readonly name: () => string; readonly unverifiedLimits: () => UnverifiedLimits } {
  let { ring } = keyFile
  let current = settings
  const save = async (change: Pick<Settings, "broker" | "here">): Promise<void> => {
    const found = lookAtSettings(paths.settings)
    // Another command may have changed what is not ours.
    current = { ...(found.kind === "whole" ? found.settings : current), ...change }
    if (found.kind === "damaged") setAside(paths.settings)
    await writeSettings(paths.settings, current)
    await keep(current)
  }
  return {
    name: () => current.name,
    unverifiedLimits: () => unverifiedLimitsOf(current),
    reload: () => {
      const found = lookAtSettings(paths.settings)
      if (found.kind !== "whole") return
      refuseContradiction(paths.settings, found.settings, ring.credential)
      current = found.settings
    },
    broker: () => knownBroker(paths, current),
    // If there is an invitation as well as a certificate, the broker has a new authority.
    credential: () => (current.here ? readOperatorInvitation(paths) : undefined) ?? ring.credential,
    saveBroker: (broker) => save({ here: false, broker: settingsOf(broker) }),
    saveCredential: async (credential) => {
      ring = { ...ring, credential }
      await keyFile.save(ring)
      if (current.here) await writeOperatorInvitation(paths, undefined)
    },
    saveHints: async ({ mqttVersion, anchor, maximumPacketSize }) => {
      const { broker } = current
      if (broker === undefined) return
      const { trust } = broker
      const known = trust.kind === "pin" && anchor !== undefined ? { ...trust, anchor } : trust
      const learned = { ...broker, trust: known, mqttVersion }
      if (maximumPacketSize === undefined) delete learned.maximumPacketSize
      else learned.maximumPacketSize = maximumPacketSize
      await save({ here: current.here, broker: learned })
    },
  }
}

/** The broker of the settings, or that of this laptop. */
export function knownBroker(paths: Context["paths"], settings: Settings): BrokerConfig | undefined {
  return settings.here ? here(paths) : brokerOf(settings)
}

function here(paths: Context["paths"]): BrokerConfig | undefined {
  const descriptor = readBrokerDescriptor(paths)
  return descriptor === undefined ? undefined : brokerConfigOf(descriptor)
}
