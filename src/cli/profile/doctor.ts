import { X509Certificate } from "node:crypto"
import type { ChatClient } from "../../engine/api.ts"
import type { BrokerConfig, ProfileConfig } from "../../engine/state/ports.ts"
import { utf8 } from "../../crypto/bytes.ts"
import { kdf } from "../../crypto/kdf.ts"
import { LIGHT_BACKENDS, useBackend } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { connectOwner } from "../../daemon/client.ts"
import { type ProbeClients, probesByAccount, probesByRegistrar } from "../../doctor/probe/probe-clients.ts"
import { runChecks, type KnownBroker, type CheckInput } from "../../doctor/run-checks.ts"
import { END_IT, HELD } from "../../doctor/checks/finding.ts"
import type { Holder, DatabaseState, OutboxSummary, SettingsState } from "../../doctor/checks/profile.ts"
import { Fault } from "../../errors.ts"
import { createIdentity } from "../../keystore/identity.ts"
import { isPending } from "../../keystore/credential.ts"
import { type KeyFile, type KeyRing, openKeyFile } from "../../keystore/keyfile.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { lookAtSettings, type Settings } from "../../settings.ts"
import { openStore } from "../../store/store.ts"
import type { Credential, ConnectTarget } from "../../transport/transport.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { Context } from "../terminal/context.ts"
import { connectOrLock } from "./connect-or-lock.ts"
import { askLedger, type OwnRequest } from "./doctor-ledger.ts"
import { DoctorReport } from "./doctor-report.ts"
import { requireProfile } from "./profile-exists.ts"
import { storedSettings } from "./settings-copy.ts"
import { damagedLogs } from "./store-files.ts"
import { knownBroker, profileConfigFor, refuseLostStore } from "./profile-owner.ts"
import { hasPassphrase, passphraseToOpen } from "../terminal/passphrase.ts"
import { silentOwner } from "../terminal/silent-process.ts"

/** A short command holds the profile for only seconds. */
const HOLDER_WAIT_MS = 10_000
const SEED_BYTES = 32

export type DoctorOptions = {
  /** Register two devices for the audit. */
  readonly register?: boolean
  /** The broker's ledger counts as it is now. */
  readonly acceptLedger?: boolean
}

/** Prints each finding as it comes, and ends with the code of the worst. */
export async function doctor(context: Context, options: DoctorOptions): Promise<void> {
  const report = new DoctorReport(context.out)
  for await (const finding of runChecks(await inputOf(context, options))) {
    report.add(finding)
    if (!(await context.out.flushed())) return
  }
  report.conclude()
}

async function inputOf(context: Context, options: DoctorOptions): Promise<CheckInput> {
  const { paths, env } = context
  requireProfile(context)
  await useBackend(env["MQTTCHAT_CRYPTO"], LIGHT_BACKENDS)
  const early = (await isOpenElsewhere(context)) ? undefined : await openKeys(context)
  const holder = await holderOf(context)
  const keyFile = early ?? (holder.kind === "owner" ? undefined : await openKeys(context))
  const { database, copy } = await databaseOf(paths.database, holder, keyFile?.ring)
  const file = settingsState(paths.settings)
  const settings = file.kind === "whole" ? file.settings : copy
  return {
    now: Date.now,
    random: systemRandom,
    paths,
    holder,
    settings: file,
    database,
    broker:
      settings === undefined
        ? { kind: "none", why: "the settings are lost", fix: "mqttchat status" }
        : brokerOf(configFor(context, settings, keyFile), settings.here, {
            ring: keyFile?.ring,
            holder,
            mayRegister: options.register === true,
            ledger: () =>
              askLedger(context, holder, {
                own: keyFile && ledgerRequest(context, settings, keyFile),
                accept: options.acceptLedger === true,
              }),
          }),
  }
}

function ledgerRequest(context: Context, settings: Settings, keyFile: KeyFile): OwnRequest {
  const { identity, databaseKey } = keyFile.ring
  return {
    config: doctorConfig(context, settings, keyFile),
    applicant: { identity, random: systemRandom, after },
    openStore: () => openStore(context.paths.database, databaseKey),
  }
}

function configFor(context: Context, settings: Settings, keyFile: KeyFile | undefined): KnownConfig {
  if (keyFile !== undefined) return doctorConfig(context, settings, keyFile)
  return { broker: () => knownBroker(context.paths, settings), credential: () => undefined }
}

function doctorConfig(context: Context, settings: Settings, keyFile: KeyFile): ProfileConfig {
  return profileConfigFor(context, { settings, keep: keepNothing }, keyFile)
}

/** The doctor changes nothing. */
async function keepNothing(): Promise<void> {}

type SettingsView =
  { readonly kind: "whole"; readonly settings: Settings } | Exclude<SettingsState, { kind: "whole" }>

function settingsState(path: string): SettingsView {
  try {
    const found = lookAtSettings(path)
    if (found.kind === "whole") return found
    return { kind: "lost", found: found.kind === "missing" ? `${path} is missing` : `damaged: ${found.why}` }
  } catch (cause) {
    if (cause instanceof Fault) return { kind: "fault", fault: cause }
    throw cause
  }
}

/** Whether to ask for the passphrase is needless: the process that has the profile open knows what the keys tell. */
async function isOpenElsewhere(context: Context): Promise<boolean> {
  const { paths } = context
  if (!(await needsPassphrase(identityOf(context))) || hasPassphrase(context)) return false
  const owner = await connectOwner(paths.socket, { silence: silentOwner(paths) })
  if (owner === undefined) return false
  try {
    return !(await owner.call("status", {})).locked
  } finally {
    await owner.close()
  }
}

async function openKeys(context: Context): Promise<KeyFile> {
  const isLocked = await needsPassphrase(identityOf(context))
  const passphrase = isLocked ? await passphraseToOpen(context) : ""
  return openKeyFile(context.paths.keyFile, passphrase, systemRandom)
}

function identityOf({ paths }: Context): { readonly path: string; readonly purpose: "identity" } {
  return { path: paths.keyFile, purpose: "identity" }
}

async function holderOf(context: Context): Promise<Holder> {
  try {
    return await findHolder(context)
  } catch (cause) {
    if (cause instanceof Fault) return { kind: "barred", fault: cause }
    throw cause
  }
}

/** Takes the profile, if no other process has it. */
async function findHolder(context: Context): Promise<Holder> {
  const { socket, lock } = context.paths
  const connect = (): Promise<ChatClient | undefined> =>
    connectOwner(socket, { silence: silentOwner(context.paths) })
  const reached = await connectOrLock(context, { connect, lock, waitMs: HOLDER_WAIT_MS })
  if (reached.kind === "locked") return { kind: "doctor" }
  if (reached.kind === "silent") return reached
  const { client } = reached
  const { connection, certificate } = await client.call("status", {})
  const outbox = await outboxOf(client)
  return { kind: "owner", outbox, isOnline: connection.kind === "online", certificate }
}

/** Asked of the owner, which alone may open the store. */
async function outboxOf(owner: ChatClient): Promise<OutboxSummary> {
  const outbox = await owner.call("outbox", {})
  return outboxSummary(outbox.map(({ storedAt }) => storedAt))
}

function outboxSummary(times: readonly number[]): OutboxSummary {
  return { count: times.length, oldest: times.length === 0 ? undefined : Math.min(...times) }
}

type DatabaseView = { readonly database: DatabaseState; readonly copy?: Settings | undefined }

/** The message store, and its copy of the settings. */
async function databaseOf(path: string, holder: Holder, ring: KeyRing | undefined): Promise<DatabaseView> {
  if (holder.kind !== "doctor" || ring === undefined) return { database: { kind: "held" } }
  try {
    refuseLostStore(path)
    const store = await openStore(path, ring.databaseKey)
    try {
      const isWhole = await store.isWhole()
      const outbox = (await store.load()).outgoing.filter(({ kind }) => kind !== "passing")
      const summary = outboxSummary(outbox.map(({ createdAt }) => createdAt))
      const copies = damagedLogs(path)
      const database = { kind: "read", isWhole, path, outbox: summary, damagedLogs: copies } as const
      return { database, copy: await storedSettings(store) }
    } finally {
      await store.close()
    }
  } catch (cause) {
    if (cause instanceof Fault) return { database: { kind: "fault", fault: cause } }
    throw cause
  }
}

/** What decides which clients the audit can use. */
type ProbeOptions = {
  readonly broker: BrokerConfig
  /** Undefined if the keys were not opened, as another process has the profile. */
  readonly ring: KeyRing | undefined
  readonly holder: Holder
  readonly mayRegister: boolean
  readonly ledger: KnownBroker["ledger"]
}

type KnownConfig = Pick<ProfileConfig, "broker" | "credential">

function brokerOf(
  config: KnownConfig,
  isHere: boolean,
  options: Omit<ProbeOptions, "broker">,
): CheckInput["broker"] {
  const broker = config.broker()
  if (broker === undefined) {
    const fix = isHere
      ? "mqttchat broker"
      : "mqttchat pair CODE@HOST, with a code from someone who has a broker"
    return { kind: "none", why: "this profile has no broker yet", fix }
  }
  const target = targetOf(broker, config)
  const probeClients = (node: ConnectTarget): Promise<ProbeClients> =>
    probeClientsFor(node, { ...options, broker })
  const { holder, ledger } = options
  const ofOwner = holder.kind === "owner" ? (holder.certificate ?? undefined) : undefined
  return { kind: "known", target, isHere, device: validityOf(target) ?? ofOwner, ledger, probeClients }
}

/** With an unused invitation the doctor can connect only as a guest. */
function targetOf({ address, others, trust, mqttVersion }: BrokerConfig, config: KnownConfig): ConnectTarget {
  const stored = config.credential()
  const credential: Credential = stored === undefined || isPending(stored) ? { kind: "guest" } : stored
  return {
    address,
    ...(others === undefined ? {} : { others }),
    trust,
    credential,
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
  }
}

function validityOf({ credential }: ConnectTarget): KnownBroker["device"] {
  if (credential.kind !== "device") return undefined
  const { validFrom, validTo } = new X509Certificate(credential.certificate)
  return { validFrom: Date.parse(validFrom), validTo: Date.parse(validTo) }
}

/** The clients of the audit. New devices are registered only if the user asks for it: they stay on the broker's list. */
async function probeClientsFor(target: ConnectTarget, options: ProbeOptions): Promise<ProbeClients> {
  const { credential } = target
  if (credential.kind === "account") return probesByAccount(target, credential, systemRandom)
  const { ring, holder } = options
  if (holder.kind === "owner" || ring === undefined) return { kind: "none", why: HELD, fix: END_IT }
  const why = "it takes two devices of the doctor's own"
  if (credential.kind !== "device") return { kind: "none", why: "this profile has no certificate there yet" }
  if (!options.mayRegister) return { kind: "none", why, fix: "mqttchat doctor --register" }
  if (holder.kind !== "doctor") return { kind: "none", why: `${why}, and the profile cannot be taken` }
  const { registrar, guests = target.address } = options.broker
  if (registrar === undefined) return { kind: "none", why: `${why}, and this broker has no registrar` }
  const { identity } = ring
  const identities = {
    mallory: derivedIdentity(identity, "mallory"),
    alice: derivedIdentity(identity, "alice"),
  }
  const applicant = { identity, random: systemRandom, after }
  return probesByRegistrar({
    applicant,
    target,
    deviceId: credential.deviceId,
    registrar,
    guests,
    identities,
  })
}

/** An identity that only this profile can derive, and that is the same each time. */
function derivedIdentity({ signSecret }: IdentityKeys, role: string): IdentityKeys {
  const [first, second] = [`mqttchat/1 doctor ${role} sign`, `mqttchat/1 doctor ${role} box`]
  const seeds = [first, second].map((label) => kdf(new Uint8Array(), signSecret, utf8(label), SEED_BYTES))
  return createIdentity(() => seeds.shift() ?? new Uint8Array())
}

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
