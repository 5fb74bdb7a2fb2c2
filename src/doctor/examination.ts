import type { Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { LinkTarget } from "../transport/transport.ts"
import { AUDITS, fixFor, judgeAudit, tryAll } from "./audit.ts"
import { tellBroker } from "./broker-kind.ts"
import type { Cast } from "./cast.ts"
import * as connection from "./connection.ts"
import type { Validity } from "./connection.ts"
import { FILES, judgeFiles, lookAtFiles } from "./files.ts"
import type { Places } from "./files.ts"
import { unknown } from "./finding.ts"
import type { Check, Finding, Judgement } from "./finding.ts"
import { Dialler } from "./line.ts"
import * as login from "./login.ts"
import type { Stay } from "./login.ts"
import * as profile from "./profile.ts"
import type { Holder, Records } from "./profile.ts"
import { lookAtServer } from "./server.ts"
import type { Shown, Sight } from "./server.ts"

/** Everything the doctor is given to look at; the command line wires it. */
export type Patient = {
  readonly now: () => number
  readonly random: Random
  readonly places: Places
  readonly holder: Holder
  readonly records: Records
  readonly broker: KnownBroker | { readonly kind: "none"; readonly why: string; readonly fix: string }
}

export type KnownBroker = {
  readonly kind: "known"
  readonly target: LinkTarget
  /** It is the broker of this laptop. */
  readonly isHere: boolean
  /** Of this device's certificate. */
  readonly device: Validity | undefined
  /** Two whom the doctor made up, or why there can be none. */
  readonly cast: (target: LinkTarget) => Promise<Cast>
}

/** All findings in the order in which one thing needs another: the laptop, the way to the broker, the broker. */
export async function* examine(patient: Patient): AsyncGenerator<Finding> {
  const { places, holder, records, broker } = patient
  const files = lookAtFiles(places)
  yield of(FILES, judgeFiles(files, places))
  yield of(profile.LOCK, profile.judgeLock(holder))
  yield of(profile.OWNER, profile.judgeOwner(holder))
  yield of(profile.DATABASE, profile.judgeDatabase(records))
  yield of(profile.OUTBOX, profile.judgeOutbox(holder, records, patient.now()))
  const newest = Math.max(0, ...files.map(({ changedAt }) => changedAt))
  if (broker.kind === "none") {
    const seen = { server: undefined, device: undefined, newest }
    yield of(connection.CLOCK, connection.judgeClock(patient.now(), seen))
    yield of(connection.NAME, unknown(broker.why, broker.fix))
    return
  }
  const { node, sight, others } = await lookAtNodes(broker)
  yield* wayThere(patient, node, { sight, newest })
  if (others.length > 0) yield of(connection.NODES, connection.judgeNodes(others.map(connection.faultOf)))
  const stay = await stayAt(patient, node, sight)
  yield of(login.LOGIN, login.judgeLogin(stay))
  yield of(login.MQTT, login.judgeMqtt(stay))
  yield of(login.ROUND_TRIP, login.judgeRoundTrip(stay))
  yield of(login.LARGEST, login.judgeLargest(stay))
  yield of(login.OFFLINE, login.judgeOffline(stay))
  yield* audit(node, sight, stay)
}

type Looked = {
  readonly node: KnownBroker
  readonly sight: Sight
  /** What the nodes showed that are not used. */
  readonly others: readonly Sight[]
}

/** The first node that can be used, or else the first. */
async function lookAtNodes(broker: KnownBroker): Promise<Looked> {
  const { target } = broker
  const addresses = [target.address, ...(target.others ?? [])]
  const seen = await Promise.all(
    addresses.map(async (address) => {
      return { address, sight: await lookAtServer({ ...target, address }) }
    }),
  )
  const used = seen.find(({ sight }) => sight.trusted === "trusted") ?? seen[0]
  if (used === undefined) throw new Fault("bug", "a broker without an address")
  const others = seen.filter((one) => one !== used).map(({ sight }) => sight)
  return { node: { ...broker, target: { ...target, address: used.address } }, sight: used.sight, others }
}

function* wayThere(
  { now }: Patient,
  { target, isHere, device }: KnownBroker,
  { sight, newest }: { readonly sight: Sight; readonly newest: number },
): Generator<Finding> {
  const server = shownBy(sight)
  yield of(connection.CLOCK, connection.judgeClock(now(), { server, device, newest }))
  yield of(connection.NAME, connection.judgeName(sight))
  yield of(connection.TCP, connection.judgeTcp(sight, isHere))
  yield of(connection.TLS, connection.judgeTls(sight))
  yield of(connection.PIN, connection.judgePin(sight, target.trust.kind === "pin" ? "pin" : "name"))
  yield of(connection.CERTIFICATE, connection.judgeCertificate(server, now(), isHere))
  yield of(connection.DEVICE, connection.judgeDevice(device, now()))
}

/** Only who holds the profile may be connected as its device: another connection would end the owner's. */
async function stayAt({ holder, random }: Patient, { target }: KnownBroker, sight: Sight): Promise<Stay> {
  if (sight.trusted !== "trusted")
    return { kind: "none", why: "not tried: the broker was not reached, or is another" }
  if (holder.kind !== "doctor") return { kind: "held", online: holder.kind === "owner" && holder.isOnline }
  const { credential } = target
  if (credential.kind === "guest")
    return {
      kind: "none",
      why: "this profile has no certificate there yet",
      fix: "mqttchat status asks for it",
    }
  return login.visit(new Dialler(target), credential.deviceId, random)
}

async function* audit({ target, cast }: KnownBroker, sight: Sight, stay: Stay): AsyncGenerator<Finding> {
  const actors: Cast =
    sight.trusted === "trusted" && stay.kind !== "out"
      ? await cast(target)
      : { kind: "none", why: "the broker did not let us in, or is another" }
  if (actors.kind === "none") {
    for (const question of AUDITS) yield of(question, unknown(actors.why, actors.fix))
    return
  }
  const { scene, areTwo } = actors
  const broker = await tellBroker(scene, shownBy(sight)?.protocol)
  for (const question of AUDITS) {
    if (question.takesTwo && !areTwo) {
      yield of(question, unknown("the doctor has one account, and it takes two", fixFor(question, broker)))
    } else yield of(question, judgeAudit(question, await tryAll(question, scene), broker))
  }
}

function shownBy({ tls }: Sight): Shown | undefined {
  return tls instanceof Fault ? undefined : tls
}

function of({ name, what, why }: Check, judgement: Judgement): Finding {
  return { name, what, why, ...judgement }
}
