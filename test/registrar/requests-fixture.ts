import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeAuthority, pinOf } from "../../src/broker/certificates.ts"
import { fromBase64url, toBase64url } from "../../src/crypto/bytes.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { openLedger, readLedger, type Ledger } from "../../src/registrar/ledger.ts"
import { inviteUser, revoke, setInviters } from "../../src/registrar/members.ts"
import { openRegistrar, type Registrar } from "../../src/registrar/registrar.ts"
import { makeDeviceKey } from "../../src/transport/device-key.ts"
import type { Connect, TransportEvents } from "../../src/transport/transport.ts"
import {
  decodeInvitation,
  type RegistrationAnswer,
  type RegistrationRequest,
} from "../../src/wire/registration.ts"
import { sealRequest, type SealedRequest } from "../../src/wire/registration-box.ts"
import { newApplicant } from "./registrar-fixture.ts"

const authority = await makeAuthority()

/** A request as Mallory, who runs the broker, records it, and what it was granted first. */
export type Recorded = {
  readonly kind: RegistrationRequest["kind"]
  readonly topicId: Uint8Array
  readonly sealed: SealedRequest
  granted?: Granted
}

export type Granted = { readonly device: string; readonly answer: RegistrationAnswer }

type Person = {
  readonly name: string
  readonly applicant: ReturnType<typeof newApplicant>
  readonly key: ReturnType<typeof makeDeviceKey>
  invitation: Uint8Array | undefined
}

/** A registrar with a ledger on disk, behind a broker that is a function: Mallory delivers what she likes, when she likes. */
export class RequestsFixture {
  readonly requests: Recorded[] = []
  readonly people: readonly Person[]
  readonly #folder = mkdtempSync(join(tmpdir(), "mqttchat-requests-"))
  readonly #boxSecret = boxKeyPair(systemRandom).secretKey
  #now = 1_800_000_000_000
  #events: TransportEvents | undefined
  #answers: Uint8Array[] = []
  #ledger: Ledger | undefined
  #registrar: Registrar | undefined

  constructor(names: readonly string[]) {
    this.people = names.map((name) => ({
      ...{ name, applicant: newApplicant(), key: makeDeviceKey(), invitation: undefined },
    }))
  }

  get registrar(): Registrar {
    if (this.#registrar === undefined) throw new Error("the registrar is not running")
    return this.#registrar
  }

  get state() {
    return this.registrar.ledger.state
  }

  get ledgerPath(): string {
    return join(this.#folder, "ledger")
  }

  async start(): Promise<void> {
    this.#ledger = await openLedger(this.ledgerPath)
    this.#registrar = await openRegistrar({
      connect: this.#connect,
      address: { host: "broker.example", port: 8883 },
      trust: { kind: "name" },
      keys: authority,
      pin: pinOf(authority.caCertificate),
      boxSecret: this.#boxSecret,
      ledger: this.#ledger,
      brokerControl: () => ({ publishCrl: () => Promise.resolve(), disconnect: () => Promise.resolve() }),
      onState: () => undefined,
      onAdmitted: () => undefined,
      onTrouble: () => undefined,
      random: systemRandom,
      now: () => this.#now,
      reach: () => undefined,
      debug: NO_DEBUG,
    })
  }

  async restart(): Promise<void> {
    await this.#stop()
    await this.start()
  }

  async end(): Promise<void> {
    await this.#stop()
    rmSync(this.#folder, { recursive: true })
  }

  pass(ms: number): void {
    this.#now += ms
  }

  async entries(): Promise<number> {
    return (await readLedger(this.ledgerPath))?.lines.length ?? 0
  }

  /** The first time with a new name, then for the same user again. */
  async invite(person: Person): Promise<void> {
    const isKnown = [...this.state.users.values()].some(
      ({ name, revokedAt }) => name === person.name && revokedAt === undefined,
    )
    person.invitation = (await inviteUser(this.registrar, { name: person.name, again: isKnown })).invitation
  }

  async revoke({ name }: Person, device: string | null): Promise<void> {
    await revoke(this.registrar, { user: name, device })
  }

  async setInviters(members: boolean): Promise<void> {
    await setInviters(this.registrar, members)
  }

  /** The device that this identity came in as last. */
  deviceOf({ applicant }: Person): string | undefined {
    const sign = toBase64url(applicant.identity.public.sign)
    return [...this.state.devices.values()].findLast((device) => device.sign === sign)?.device
  }

  /** Seals a new request of this person, or undefined if they have nothing to ask with. */
  request(person: Person, kind: RegistrationRequest["kind"]): Recorded | undefined {
    const request = this.#requestOf(person, kind)
    if (request === undefined) return undefined
    const isOwnTopic = kind === "invite" || kind === "add-device"
    const topicId = isOwnTopic && "device" in request ? request.device : systemRandom(16)
    const target = { registrar: this.registrar.publicKey, topicId }
    const { signSecret } = person.applicant.identity
    const sealed = sealRequest(request, target, signSecret, systemRandom)
    if (sealed === undefined) return undefined
    const recorded: Recorded = { kind, topicId, sealed }
    this.requests.push(recorded)
    return recorded
  }

  async deliver({ topicId, sealed }: Recorded): Promise<RegistrationAnswer | undefined> {
    this.#answers = []
    await this.#events?.onFrame(`mc/1/reg/q/${toBase64url(topicId)}`, sealed.payload)
    const [answer] = this.#answers
    return answer === undefined ? undefined : sealed.openAnswer(answer)?.answer
  }

  #requestOf(person: Person, kind: RegistrationRequest["kind"]): RegistrationRequest | undefined {
    const known = 0
    const sign = person.applicant.identity.public.sign
    const { csr } = makeDeviceKey()
    const device = fromBase64url(this.deviceOf(person) ?? "")
    switch (kind) {
      case "join": {
        const invitation = person.invitation && decodeInvitation(person.invitation)
        if (invitation === undefined) return undefined
        const { user, secret } = invitation
        return { kind, known, user, secret, sign, deviceName: person.name, csr: person.key.csr }
      }
      case "restore":
        return { kind, known, sign, askedAt: this.#now, deviceName: person.name, csr }
      case "renew":
        return device?.length === 16 ? { kind, known, device, sign, csr: person.key.csr } : undefined
      case "head":
        return { kind, known, sign }
      case "invite":
      case "add-device":
        return device?.length === 16 ? { kind, known, device, sign } : undefined
    }
  }

  async #stop(): Promise<void> {
    await this.#registrar?.close()
    await this.#ledger?.close()
  }

  readonly #connect: Connect = (_target, events) => {
    this.#events = events
    const done = (): Promise<void> => Promise.resolve()
    return {
      publish: (_topic, payload) => Promise.resolve(void this.#answers.push(payload)),
      ...{ subscribe: done, unsubscribe: done, close: done, serverPins: () => [], retry: () => undefined },
    }
  }
}
