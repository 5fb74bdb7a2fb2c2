import { generateKeyPairSync } from "node:crypto"

import { fromBase64url, toBase64url } from "../crypto/bytes.ts"
import type { PublicKey, Random, SecretKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { publicKeyOf } from "../crypto/nacl.ts"
import type { BrokerAddress, Connect, Credential, LinkState, Transport } from "../transport/transport.ts"
import { openRequest } from "../wire/registration-box.ts"
import { parseTopic, REGISTRATION_REQUESTS, registrationAnswerTopic } from "../wire/topics.ts"
import { decide, newInvitation, type Office } from "./admission.ts"
import { openAuthority, pemOf, type Authority, type AuthorityKeys } from "./authority.ts"
import { type Ledger, openLedger } from "./ledger.ts"
import { type Entry, isOperator, operatorOf } from "./roll.ts"

/** Common name of the registrar's certificate: the one name that is no device id. */
export const REGISTRAR_ID = "registrar"
/** Its key lives only in this process and is made anew at each start; this outlives the longest. */
const OWN_YEARS = 10
const YEAR_MS = 365 * 24 * 3600 * 1000
/** Answers kept for requests that repeat themselves; a request repeats for twenty seconds. */
const ANSWERS_MAX = 1000
const OPERATOR = "operator"

export type RegistrarSetup = {
  readonly connect: Connect
  readonly address: BrokerAddress
  /** SHA-256(SPKI)[0:16] of the authority's certificate. */
  readonly pin: Uint8Array
  readonly keys: AuthorityKeys
  /** X25519; its public half is in every invitation. */
  readonly boxSecret: SecretKey
  readonly ledgerPath: string
  readonly membersMayInvite: boolean
  /** How the registrar's own link to the broker goes. */
  readonly onState: (state: LinkState) => void
  /** Told of each device that is let in; its name is a stranger's text. */
  readonly onAdmitted: (admitted: { readonly deviceName: string; readonly operator: boolean }) => void
  readonly random: Random
  /** Unix ms. */
  readonly now: () => number
}

export type Registrar = {
  readonly publicKey: PublicKey
  /**
   * An invitation that lets the operator's own profile in, in place of any earlier one; undefined when a device has
   * used it. On disk before it is given out.
   */
  readonly inviteOperator: () => Promise<Uint8Array | undefined>
  /** A new invitation (72 bytes), on disk before it is given out; `name` is for the operator's eyes. */
  readonly invite: (name: string) => Promise<Uint8Array>
  readonly close: () => Promise<void>
}

/**
 * Opens the ledger and answers requests over the broker until closed. Resolves when it is subscribed; rejects with
 * the link's Fault when the broker will not have it, and with those of `openLedger`.
 */
export async function openRegistrar(setup: RegistrarSetup): Promise<Registrar> {
  const ledger = await openLedger(setup.ledgerPath)
  const authority = await openAuthority(setup.keys, setup.random)
  const { membersMayInvite, random, now } = setup
  const publicKey = publicKeyOf(setup.boxSecret)
  const office: Office = { authority, publicKey, membersMayInvite, random, now }
  try {
    const counter = new Counter(office, ledger, setup)
    await counter.open(await ownCredential(authority, now()))
    return {
      publicKey,
      inviteOperator: () => inviteOperator(office, ledger),
      invite: (name) => record(ledger, newInvitation(office, { name, by: null, operator: false })),
      close: async () => {
        await counter.close()
        await ledger.close()
      },
    }
  } catch (error) {
    await ledger.close()
    throw error
  }
}

/** Where requests come in and answers go out. */
class Counter {
  readonly #office: Office
  readonly #ledger: Ledger
  readonly #setup: RegistrarSetup
  /** By the hash of the request: what it was answered, oldest first. */
  readonly #answers = new Map<string, Uint8Array>()
  #link: Transport | undefined

  constructor(office: Office, ledger: Ledger, setup: RegistrarSetup) {
    this.#office = office
    this.#ledger = ledger
    this.#setup = setup
  }

  async open(credential: Credential): Promise<void> {
    const { connect, address, pin, onState } = this.#setup
    const link = connect(
      { address, trust: { kind: "pin", pin }, credential },
      { onFrame: (topic, payload) => this.#hear(topic, payload), onState },
    )
    this.#link = link
    try {
      await link.subscribe(REGISTRATION_REQUESTS)
    } catch (error) {
      await link.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }

  /** The entry is on disk before the request is acknowledged and answered. */
  async #hear(topic: string, payload: Uint8Array): Promise<void> {
    const named = parseTopic(topic)
    if (named?.kind !== "registration-request") return
    const answer = await this.#answer(named.id, payload)
    if (answer === undefined) return
    // not awaited: a link reads nothing while a frame is at work; whoever hears no answer asks again
    this.#link?.publish(registrationAnswerTopic(named.id), answer).catch(() => undefined)
  }

  async #answer(id: string, payload: Uint8Array): Promise<Uint8Array | undefined> {
    const topicId = fromBase64url(id)
    const place = topicId === undefined ? undefined : { registrar: this.#office.publicKey, topicId }
    const opened = place === undefined ? undefined : openRequest(payload, place, this.#setup.boxSecret)
    if (opened === undefined) return undefined
    const requestHash = hash32(payload)
    const given = this.#answers.get(toBase64url(requestHash))
    if (given !== undefined) return given
    const asked = { request: opened.request, requestHash, topicId: id }
    const { entry, answer } = await decide(this.#office, this.#ledger.roll, asked)
    if (entry !== undefined) await this.#record(entry)
    return this.#keep(toBase64url(requestHash), opened.sealAnswer(answer, this.#office.random))
  }

  async #record(entry: Entry): Promise<void> {
    await this.#ledger.append(entry)
    if (entry.kind !== "admitted") return
    const operator = isOperator(this.#ledger.roll, entry)
    this.#setup.onAdmitted({ deviceName: entry.deviceName, operator })
  }

  #keep(requestHash: string, answer: Uint8Array): Uint8Array {
    const [oldest] = this.#answers.keys()
    if (this.#answers.size >= ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest)
    this.#answers.set(requestHash, answer)
    return answer
  }
}

async function inviteOperator(office: Office, ledger: Ledger): Promise<Uint8Array | undefined> {
  const before = operatorOf(ledger.roll)
  if (before !== undefined && ledger.roll.admissions.has(before.user)) return undefined
  const user = before === undefined ? {} : { user: before.user }
  return record(ledger, newInvitation(office, { name: OPERATOR, by: null, operator: true, ...user }))
}

async function record(ledger: Ledger, made: ReturnType<typeof newInvitation>): Promise<Uint8Array> {
  await ledger.append(made.entry)
  return made.invitation
}

async function ownCredential(authority: Authority, now: number): Promise<Credential> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const spki = publicKey.export({ type: "spki", format: "der" })
  return {
    kind: "device",
    deviceId: REGISTRAR_ID,
    certificate: pemOf(await authority.issue(REGISTRAR_ID, spki, now, now + OWN_YEARS * YEAR_MS)),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  }
}
