import type { Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ConnectTarget } from "../transport/transport.ts"
import { AUDITS, fixFor, judgeAudit, runAttacks } from "./checks/audit.ts"
import { detectBrokerKind } from "./probe/broker-kind.ts"
import type { ProbeClients } from "./probe/probe-clients.ts"
import * as connection from "./checks/connection.ts"
import type { Validity } from "./checks/connection.ts"
import { FILES, judgeFiles, listFileAccess } from "./checks/files.ts"
import type { FilePaths } from "./checks/files.ts"
import { unknown } from "./checks/finding.ts"
import type { Check, Finding, Judgement } from "./checks/finding.ts"
import { ProbeConnector } from "./probe/probe-connection.ts"
import * as ledger from "./checks/ledger.ts"
import type { LedgerReport } from "./checks/ledger.ts"
import * as login from "./checks/login.ts"
import type { LoginResult } from "./checks/login.ts"
import * as profile from "./checks/profile.ts"
import type { Holder, DatabaseState, SettingsState } from "./checks/profile.ts"
import { viewServer } from "./probe/server.ts"
import type { TlsResult, ServerView } from "./probe/server.ts"

/** Everything the doctor is given to look at; the command line wires it. */
export type CheckInput = {
  readonly now: () => number
  readonly random: Random
  readonly paths: FilePaths
  readonly holder: Holder
  readonly settings: SettingsState
  readonly database: DatabaseState
  readonly broker: KnownBroker | { readonly kind: "none"; readonly why: string; readonly fix: string }
}

export type KnownBroker = {
  readonly kind: "known"
  readonly target: ConnectTarget
  /** It is the broker of this laptop. */
  readonly isHere: boolean
  /** Of this device's certificate. */
  readonly device: Validity | undefined
  /** Two whom the doctor made up, or why there can be none. */
  /** Asks the broker's registrar for the head of its ledger. */
  readonly ledger: () => Promise<LedgerReport>
  readonly probeClients: (target: ConnectTarget) => Promise<ProbeClients>
}

/** All findings in the order in which one thing needs another: the laptop, the way to the broker, the broker. */
export async function* runChecks(input: CheckInput): AsyncGenerator<Finding> {
  const { paths, holder, database, broker } = input
  const files = listFileAccess(paths)
  yield findingOf(FILES, judgeFiles(files, paths))
  yield findingOf(profile.LOCK, profile.judgeLock(holder))
  yield findingOf(profile.OWNER, profile.judgeOwner(holder))
  yield findingOf(profile.SETTINGS, profile.judgeSettings(input.settings, holder))
  yield findingOf(profile.DATABASE, profile.judgeDatabase(database))
  yield findingOf(profile.OUTBOX, profile.judgeOutbox(holder, database, input.now()))
  const newest = Math.max(0, ...files.map(({ changedAt }) => changedAt))
  if (broker.kind === "none") {
    const viewed = { server: undefined, device: undefined, newest }
    yield findingOf(connection.CLOCK, connection.judgeClock(input.now(), viewed))
    yield findingOf(connection.NAME, unknown(broker.why, broker.fix))
    return
  }
  const { node, view, others } = await viewNodes(broker)
  yield* connectionFindings(input, node, { view, newest })
  if (others.length > 0)
    yield findingOf(connection.NODES, connection.judgeNodes(others.map(connection.faultOf)))
  const loginResult = await tryLogin(input, node, view)
  yield findingOf(login.LOGIN, login.judgeLogin(loginResult))
  yield findingOf(login.MQTT, login.judgeMqtt(loginResult))
  yield findingOf(login.ROUND_TRIP, login.judgeRoundTrip(loginResult))
  yield findingOf(login.LARGEST, login.judgeLargest(loginResult))
  yield findingOf(login.OFFLINE, login.judgeOffline(loginResult))
  yield findingOf(ledger.LEDGER, ledger.judgeLedger(await askLedger(node, view, loginResult), node.isHere))
  yield* auditFindings(node, view, loginResult)
}

async function askLedger(
  { ledger: ask }: KnownBroker,
  view: ServerView,
  loginResult: LoginResult,
): Promise<LedgerReport> {
  const isReached = view.trusted === "trusted" && loginResult.kind !== "out"
  return isReached ? ask() : { kind: "silent", why: "not asked: the broker did not let us in, or is another" }
}

type ViewedNodes = {
  readonly node: KnownBroker
  readonly view: ServerView
  /** What the nodes showed that are not used. */
  readonly others: readonly ServerView[]
}

/** The first node that can be used, or else the first. */
async function viewNodes(broker: KnownBroker): Promise<ViewedNodes> {
  const { target } = broker
  const addresses = [target.address, ...(target.others ?? [])]
  const viewed = await Promise.all(
    addresses.map(async (address) => {
      return { address, view: await viewServer({ ...target, address }) }
    }),
  )
  const used = viewed.find(({ view }) => view.trusted === "trusted") ?? viewed[0]
  if (used === undefined) throw new Fault("bug", "a broker without an address")
  const others = viewed.filter((one) => one !== used).map(({ view }) => view)
  return { node: { ...broker, target: { ...target, address: used.address } }, view: used.view, others }
}

function* connectionFindings(
  { now }: CheckInput,
  { target, isHere, device }: KnownBroker,
  { view, newest }: { readonly view: ServerView; readonly newest: number },
): Generator<Finding> {
  const server = tlsOf(view)
  yield findingOf(connection.CLOCK, connection.judgeClock(now(), { server, device, newest }))
  yield findingOf(connection.NAME, connection.judgeName(view))
  yield findingOf(connection.TCP, connection.judgeTcp(view, isHere))
  if (target.trust.kind === "insecure") {
    yield findingOf(connection.TLS, connection.judgeNoTls(view))
    return
  }
  yield findingOf(connection.TLS, connection.judgeTls(view))
  yield findingOf(connection.PIN, connection.judgePin(view, target.trust.kind === "pin" ? "pin" : "name"))
  yield findingOf(connection.CERTIFICATE, connection.judgeCertificate(server, now(), isHere))
  yield findingOf(connection.DEVICE, connection.judgeDevice(device, now()))
}

/** Only who holds the profile may be connected as its device: another connection would end the owner's. */
async function tryLogin(
  { holder, random }: CheckInput,
  { target }: KnownBroker,
  view: ServerView,
): Promise<LoginResult> {
  if (view.trusted !== "trusted")
    return { kind: "none", why: "not tried: the broker was not reached, or is another" }
  if (holder.kind !== "doctor") return { kind: "held", online: holder.kind === "owner" && holder.isOnline }
  const { credential } = target
  if (credential.kind === "guest")
    return {
      kind: "none",
      why: "this profile has no certificate there yet",
      fix: "mqttchat status asks for it",
    }
  return login.probeLogin(new ProbeConnector(target), credential.deviceId, random)
}

async function* auditFindings(
  { target, probeClients }: KnownBroker,
  view: ServerView,
  loginResult: LoginResult,
): AsyncGenerator<Finding> {
  const clients: ProbeClients =
    view.trusted === "trusted" && loginResult.kind !== "out"
      ? await probeClients(target)
      : { kind: "none", why: "the broker did not let us in, or is another" }
  if (clients.kind === "none") {
    for (const question of AUDITS) yield findingOf(question, unknown(clients.why, clients.fix))
    return
  }
  const { probes, areTwo } = clients
  const broker = await detectBrokerKind(probes, tlsOf(view)?.protocol)
  for (const question of AUDITS) {
    if (question.takesTwo && !areTwo) {
      yield findingOf(
        question,
        unknown("the doctor has one account, and it takes two", fixFor(question, broker)),
      )
    } else yield findingOf(question, judgeAudit(question, await runAttacks(question, probes), broker))
  }
}

function tlsOf({ tls }: ServerView): TlsResult | undefined {
  return tls instanceof Fault ? undefined : tls
}

function findingOf({ name, what, why }: Check, judgement: Judgement): Finding {
  return { name, what, why, ...judgement }
}
