import { toBase64url } from "../crypto/bytes.ts"
import type { PublicKey, Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { enroll, requestDevice } from "../transport/enroll.ts"
import type { Applicant } from "../transport/enroll.ts"
import type { BrokerAddress, Credential, LinkTarget, Post } from "../transport/transport.ts"
import type { IdentityKeys } from "../wire/identity.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { Dialler } from "./line.ts"
import type { Line } from "./line.ts"
import type { Actor, Scene } from "./scene.ts"

/** How the registrar's list of devices calls them. */
const DEVICE_NAME = "doctor"

export type Cast =
  /** `areTwo`: the broker can tell them apart. */
  | { readonly kind: "cast"; readonly scene: Scene; readonly areTwo: boolean }
  | { readonly kind: "none"; readonly why: string; readonly fix?: string }

type Account = Extract<Credential, { kind: "account" }>

/** With an account, or where everybody may come: two more clients of the same account. */
export function castByAccount(target: LinkTarget, account: Account, random: Random): Cast {
  const actor = (): Actor => {
    const id = toBase64url(random(ID_BYTES))
    return { id, dialler: new Dialler({ ...target, credential: { ...account, deviceId: id } }) }
  }
  const scene = { mallory: actor(), alice: actor(), random }
  return { kind: "cast", scene, areTwo: account.username === undefined }
}

/** What it takes to have two devices of the doctor's own let in. */
export type Office = {
  readonly applicant: Applicant
  readonly target: LinkTarget
  readonly deviceId: string
  readonly registrar: PublicKey
  /** Where guests come in. */
  readonly guests: BrokerAddress
  /** The same each time, so that the registrar lets the same two devices in again. */
  readonly identities: { readonly mallory: IdentityKeys; readonly alice: IdentityKeys }
}

/** Two further devices of this profile's user, asked for as the profile itself. It must hold its lock. */
export async function castByRegistrar(office: Office): Promise<Cast> {
  const { applicant, target, deviceId, identities } = office
  const acknowledges = ({ topic }: { topic: string }): boolean => topic.startsWith("mc/1/reg/a/")
  const own = await new Dialler(target).dial({ clientId: deviceId, session: "kept", acknowledges })
  if (own.kind === "down") return notCast(own.failure.fault)
  try {
    const line = postOf(own.line)
    const mallory = await letIn(office, line, identities.mallory)
    const alice = await letIn(office, line, identities.alice)
    return { kind: "cast", scene: { mallory, alice, random: applicant.random }, areTwo: true }
  } catch (cause) {
    if (cause instanceof Fault) return notCast(cause)
    throw cause
  } finally {
    await own.line.leave()
  }
}

function notCast({ message, hint }: Fault): Cast {
  return { kind: "none", why: message, ...(hint === undefined ? {} : { fix: hint }) }
}

async function letIn(office: Office, line: Post, identity: IdentityKeys): Promise<Actor> {
  const { applicant, registrar, deviceId, target, guests } = office
  const invitation = await requestDevice(applicant, { line, registrar, deviceId })
  const { trust } = target
  const stranger = new Dialler({ address: guests, trust, credential: { kind: "guest" } })
  const dialled = await stranger.dial({ clientId: toBase64url(applicant.random(ID_BYTES)), session: "clean" })
  if (dialled.kind === "down") throw dialled.failure.fault
  try {
    const request = { line: postOf(dialled.line), invitation, deviceName: DEVICE_NAME }
    const device = await enroll({ ...applicant, identity }, request)
    return { id: device.deviceId, dialler: new Dialler({ ...target, credential: device }) }
  } finally {
    await dialled.line.leave()
  }
}

function postOf(line: Line): Post {
  return {
    publish: async (topic, payload) => {
      const answer = await line.publish({ topic, payload })
      if (answer === "ended") throw new Fault("unavailable", "the broker ended the connection")
      if (answer === "refused") throw new Fault("refused", "the broker did not take the request")
    },
    listen: async (topic, onFrame) => {
      const end = line.listen((frame) => (frame.topic === topic ? onFrame(frame.payload) : undefined))
      await line.subscribe(topic)
      return () => {
        end()
        void line.unsubscribe(topic)
      }
    },
  }
}
