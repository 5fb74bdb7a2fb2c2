import { concat, fromBase64url, toHex, utf8 } from "../crypto/bytes.ts"
import type { Random, SecretKey } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { publicKeyOf } from "../crypto/nacl.ts"
import type { Debug } from "../debug/debug.ts"
import { Fault } from "../errors.ts"
import { DAY_MS } from "../time-units.ts"
import { RetryPauses } from "../async/retry-pauses.ts"
import type {
  BrokerAddress,
  Connect,
  Credential,
  ConnectionState,
  Transport,
  Trust,
} from "../transport/transport.ts"
import { openRequest } from "../wire/registration-box.ts"
import { parseTopic, REGISTRATION_REQUESTS, registrationAnswerTopic } from "../wire/topics.ts"
import { decide, latestOf } from "./decide.ts"
import { newCredential, openAuthority, type Authority, type AuthorityKeys } from "./authority.ts"
import { type BrokerControl, Enforcement } from "./enforcement.ts"
import { REGISTRAR_ID } from "../wire/access-rules.ts"
import type { RegistrarContext } from "./issue.ts"
import type { Ledger } from "./ledger.ts"
import type { Registry } from "./members.ts"
import { type Admitted, type Entry, isOperator, type Restored, type RegistryState } from "./registry-state.ts"
import type { RegistrarPoint } from "./fault-points.ts"

/** The registrar's own key lives only in this process; each start makes a new one. This outlives the longest process. */
const OWN_CERTIFICATE_YEARS = 10
const YEAR_MS = 365 * DAY_MS
const SEED_LABEL = utf8("mqttchat/1 requested invitation")
const SEED_BYTES = 32
const NO_SALT = new Uint8Array(0)

export type RegistrarSetup = {
  readonly connect: Connect
  readonly address: BrokerAddress
  /** Other nodes of the broker. */
  readonly others?: readonly BrokerAddress[]
  readonly trust: Exclude<Trust, { kind: "unproven" }>
  readonly keys: AuthorityKeys
  /** SHA-256(SPKI)[0:16] of the authority's certificate. */
  readonly pin: Uint8Array
  /** X25519; its public half is in every invitation. */
  readonly boxSecret: SecretKey
  /** The caller's to close, after the registrar. */
  readonly ledger: Ledger
  readonly brokerControl: (authority: Authority) => BrokerControl
  /** How the registrar's own link to the broker goes. */
  readonly onState: (state: ConnectionState) => void
  /** Called for each admitted device; its name is a stranger's text. */
  /** `user` is the name that the registrar has for its user. */
  readonly onAdmitted: (
    device: { readonly deviceName: string; readonly operator: boolean },
    user: string,
  ) => void
  /** A device that was replaced is not shut out yet; that is done again when the registrar starts. */
  readonly onTrouble: (why: Fault) => void
  readonly random: Random
  /** Unix ms. */
  readonly now: () => number
  readonly reach: (point: RegistrarPoint) => void
  readonly debug: Debug
}

export type Registrar = Registry & {
  /** Brings the broker in line with what was revoked. Faults of the broker's own side. */
  readonly enforce: () => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Answers requests over the broker until closed. Resolves when it is subscribed and every device revoked meanwhile is
 * shut out; rejects with the link's Fault when the broker will not have it.
 */
export async function openRegistrar(setup: RegistrarSetup): Promise<Registrar> {
  const { ledger, random, now } = setup
  const authority = await openAuthority(setup.keys, random)
  const { boxSecret } = setup
  const context: RegistrarContext = {
    ...{ authority, publicKey: publicKeyOf(boxSecret), random, now },
    seedOf: (requestHash) => kdf(NO_SALT, boxSecret, concat(SEED_LABEL, requestHash), SEED_BYTES),
  }
  const enforcement = new Enforcement({
    ledger,
    authority,
    brokerControl: setup.brokerControl(authority),
    now,
  })
  const requestQueue = new RequestQueue(context, setup, enforcement)
  await requestQueue.open()
  try {
    await ledger.transact((state) => ({ entry: newAuthority(state, setup) }))
    await enforcement.run()
  } catch (error) {
    await requestQueue.close()
    throw error
  }
  return {
    ledger,
    publicKey: context.publicKey,
    random,
    now,
    enforce: () => enforcement.run(),
    close: () => requestQueue.close(),
  }
}

function newAuthority({ authority }: RegistryState, { pin, now }: RegistrarSetup): Entry | undefined {
  return authority === toHex(pin) ? undefined : { kind: "authority", at: now(), pin: toHex(pin) }
}

/** Where requests come in and answers go out. */
class RequestQueue {
  readonly #context: RegistrarContext
  readonly #setup: RegistrarSetup
  readonly #enforcement: Enforcement
  #transport: Transport | undefined
  readonly #pauses: RetryPauses
  #cancelRetry: () => void = () => undefined
  #isClosed = false

  constructor(context: RegistrarContext, setup: RegistrarSetup, enforcement: Enforcement) {
    this.#context = context
    this.#setup = setup
    this.#enforcement = enforcement
    this.#pauses = new RetryPauses(setup.random)
  }

  /** Rejects with why the broker will not have the registrar. Later refusals pass, and are tried again as devices do [D-170]. */
  async open(): Promise<void> {
    const { connect, address, others = [], trust, onState } = this.#setup
    let isOpen = false
    const transport = connect(
      { address, others, trust, credential: await this.#newCredential() },
      {
        onFrame: (topic, payload) => this.#receive(topic, payload),
        onState: (state) => {
          onState(state)
          if (state.kind === "online") this.#pauses.reset()
          if (state.kind === "stopped" && isOpen && this.#transport === transport) this.#retryLater()
        },
      },
    )
    this.#transport = transport
    try {
      await transport.subscribe(REGISTRATION_REQUESTS)
      isOpen = true
    } catch (error) {
      await transport.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelRetry()
    await this.#transport?.close()
  }

  /** Of now: one that was made while the clock was ahead is not valid yet. */
  #newCredential(): Promise<Credential> {
    const { authority, now } = this.#context
    return newCredential(authority, REGISTRAR_ID, { now: now(), lifeMs: OWN_CERTIFICATE_YEARS * YEAR_MS })
  }

  #retryLater(): void {
    if (this.#isClosed) return
    const timer = setTimeout(() => void this.#retry(), this.#pauses.next())
    this.#cancelRetry = () => clearTimeout(timer)
  }

  async #retry(): Promise<void> {
    try {
      await this.open()
      if (this.#isClosed) await this.#transport?.close()
    } catch {
      // Why was reported with the state of the connection.
      this.#retryLater()
    }
  }

  /** The entry is on disk before the request is acknowledged and answered. */
  async #receive(topic: string, payload: Uint8Array): Promise<void> {
    const parsed = parseTopic(topic)
    if (parsed?.kind !== "registration-request") return
    const answer = await this.#answer(parsed.id, payload)
    if (answer === undefined) return
    // not awaited: a link reads nothing while a frame is at work; a client without an answer asks again
    const answered = this.#transport?.publish(registrationAnswerTopic(parsed.id), answer)
    answered?.then(() => this.#setup.reach("join-answered")).catch(() => undefined)
  }

  /** Nothing is answered from memory: what the ledger says may have changed since the same bytes came before. */
  async #answer(id: string, payload: Uint8Array): Promise<Uint8Array | undefined> {
    const topicId = fromBase64url(id)
    const binding = topicId === undefined ? undefined : { registrar: this.#context.publicKey, topicId }
    const opened = binding === undefined ? undefined : openRequest(payload, binding, this.#setup.boxSecret)
    if (opened === undefined) return undefined
    this.#setup.debug("registrar", "request", { kind: opened.request.kind })
    this.#setup.reach("join-heard")
    const verified = { request: opened.request, requestHash: hash32(payload), topicId: id }
    const { entry, answer } = await this.#setup.ledger.transact(async (state) => {
      const decision = await decide(this.#context, state, verified)
      this.#setup.reach("join-decided")
      return decision
    })
    this.#setup.reach("join-recorded")
    this.#setup.debug("registrar", "decision", { answer: answer.kind, entry: entry?.kind })
    if (entry?.kind === "admitted" || entry?.kind === "restored") this.#announceAdmitted(entry)
    if (entry?.kind === "restored") await this.#disconnectReplaced()
    const { state, view } = this.#setup.ledger
    const { known, sign } = opened.request
    const ledger = latestOf(state, sign) === undefined ? undefined : view(known)
    return opened.sealAnswer({ answer, ledger }, this.#context.random)
  }

  #announceAdmitted({ deviceName, user: id }: Admitted | Restored): void {
    const { state } = this.#setup.ledger
    const user = state.users.get(id)?.name ?? ""
    this.#setup.onAdmitted({ deviceName, operator: isOperator(state, id) }, user)
  }

  /** The replaced device is disconnected before its successor gets the answer. */
  async #disconnectReplaced(): Promise<void> {
    try {
      await this.#enforcement.run()
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      this.#setup.debug("registrar", "trouble", { code: fault.code })
      this.#setup.onTrouble(fault)
    }
  }
}
