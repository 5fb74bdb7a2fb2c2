import { toBase64url } from "../../crypto/bytes.ts"
import type { PublicKey, Random } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { enroll, requestDevice } from "../../transport/enroll.ts"
import type { Applicant } from "../../transport/enroll.ts"
import type { BrokerAddress, Credential, ConnectTarget, Publisher } from "../../transport/transport.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import { ProbeConnector } from "./probe-connection.ts"
import type { ProbeConnection } from "./probe-connection.ts"
import type { Probe, Probes } from "./attack-runner.ts"

/** How the registrar's list of devices calls them. */
const DEVICE_NAME = "doctor"

export type ProbeClients =
  /** `areTwo`: the broker can tell them apart. */
  | { readonly kind: "cast"; readonly probes: Probes; readonly areTwo: boolean }
  | { readonly kind: "none"; readonly why: string; readonly fix?: string }

type Account = Extract<Credential, { kind: "account" }>

/** With an account, or where anyone may connect: two more clients of the same account. */
export function probesByAccount(target: ConnectTarget, account: Account, random: Random): ProbeClients {
  const probe = (): Probe => {
    const id = toBase64url(random(ID_BYTES))
    return { id, connector: new ProbeConnector({ ...target, credential: { ...account, deviceId: id } }) }
  }
  const probes = { mallory: probe(), alice: probe(), random }
  return { kind: "cast", probes, areTwo: account.username === undefined }
}

/** What it takes to have two devices of the doctor's own let in. */
export type ProbeEnrollment = {
  readonly applicant: Applicant
  readonly target: ConnectTarget
  readonly deviceId: string
  readonly registrar: PublicKey
  /** Where guests come in. */
  readonly guests: BrokerAddress
  /** The same each time, so that the registrar lets the same two devices in again. */
  readonly identities: { readonly mallory: IdentityKeys; readonly alice: IdentityKeys }
}

/** Two further devices of this profile's user, asked for as the profile itself. It must hold its lock. */
export async function probesByRegistrar(enrollment: ProbeEnrollment): Promise<ProbeClients> {
  const { applicant, target, deviceId, identities } = enrollment
  const acknowledges = ({ topic }: { topic: string }): boolean => topic.startsWith("mc/1/reg/a/")
  const own = await new ProbeConnector(target).connect({ clientId: deviceId, session: "kept", acknowledges })
  if (own.kind === "down") return noProbes(own.failure.fault)
  try {
    const publisher = publisherOf(own.connection)
    const mallory = await enrollProbe(enrollment, publisher, identities.mallory)
    const alice = await enrollProbe(enrollment, publisher, identities.alice)
    return { kind: "cast", probes: { mallory, alice, random: applicant.random }, areTwo: true }
  } catch (cause) {
    if (cause instanceof Fault) return noProbes(cause)
    throw cause
  } finally {
    await own.connection.disconnect()
  }
}

function noProbes({ message, hint }: Fault): ProbeClients {
  return { kind: "none", why: message, ...(hint === undefined ? {} : { fix: hint }) }
}

async function enrollProbe(
  enrollment: ProbeEnrollment,
  publisher: Publisher,
  identity: IdentityKeys,
): Promise<Probe> {
  const { applicant, registrar, deviceId, target, guests } = enrollment
  const invitation = await requestDevice(applicant, { publisher, registrar, deviceId })
  const { trust } = target
  const guest = new ProbeConnector({ address: guests, trust, credential: { kind: "guest" } })
  const result = await guest.connect({ clientId: toBase64url(applicant.random(ID_BYTES)), session: "clean" })
  if (result.kind === "down") throw result.failure.fault
  try {
    const request = { publisher: publisherOf(result.connection), invitation, deviceName: DEVICE_NAME }
    const device = await enroll({ ...applicant, identity }, request)
    return { id: device.deviceId, connector: new ProbeConnector({ ...target, credential: device }) }
  } finally {
    await result.connection.disconnect()
  }
}

function publisherOf(connection: ProbeConnection): Publisher {
  return {
    publish: async (topic, payload) => {
      const answer = await connection.publish({ topic, payload })
      if (answer === "ended") throw new Fault("unavailable", "the broker ended the connection")
      if (answer === "refused") throw new Fault("refused", "the broker did not take the request")
    },
    listen: async (topic, onFrame) => {
      const end = connection.listen((frame) => (frame.topic === topic ? onFrame(frame.payload) : undefined))
      await connection.subscribe(topic)
      return () => {
        end()
        void connection.unsubscribe(topic)
      }
    },
  }
}
