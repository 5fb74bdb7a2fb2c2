import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ChatClient, Event, Offer } from "../../src/engine/api.ts"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { openEngine } from "../../src/engine/engine.ts"
import type { BrokerConfig, Ports } from "../../src/engine/state/ports.ts"
import type { Random } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { openStore } from "../../src/store/store.ts"
import {
  type Applicant,
  enroll,
  renew,
  requestDevice,
  requestHead,
  requestInvitation,
  restore,
} from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect } from "../../src/transport/transport.ts"
import type { LedgerWatch } from "../../src/wire/ledger-view.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { formatAddress } from "../../src/wire/address.ts"
import {
  type FixtureOptions,
  newRegistrarFixture,
  type RegistrarFixture,
} from "../registrar/registrar-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

/** A user with a real store and a real connection, and the settings that a test may change. */
export type BrokerUser = {
  readonly client: ChatClient
  readonly store: Store
  readonly events: Event[]
  /** The next event of this kind that was not yet taken. */
  readonly next: <K extends Event["kind"]>(kind: K) => Promise<Extract<Event, { kind: K }>>
  readonly config: { broker: BrokerConfig | undefined; credential: StoredCredential | undefined }
  /** Timers of `from` milliseconds or more, and less than `below`, run at once. */
  readonly runTimers: (from: number, below?: number) => void
  /** Whether a timer of exactly this length is set. */
  readonly isWaitingFor: (ms: number) => boolean
}

export type UserOptions = {
  readonly random?: Random
  readonly connect?: Connect
  readonly now?: () => number
}

/** A real broker and registrar, and their users. */
export class PairingFixture {
  readonly registrarFixture: RegistrarFixture
  readonly #end: (() => Promise<void>)[] = []

  private constructor(registrarFixture: RegistrarFixture) {
    this.registrarFixture = registrarFixture
  }

  static async open(change: Partial<FixtureOptions> = {}): Promise<PairingFixture> {
    return new PairingFixture(await newRegistrarFixture(change))
  }

  get address(): string {
    return formatAddress(this.registrarFixture.target().address)
  }

  /** A user with a device certificate of this broker. */
  async member(name: string, options: UserOptions = {}): Promise<BrokerUser> {
    const user = await this.invited(name, options)
    await user.next("connection")
    return user
  }

  /** A user who has an invitation and is just using it. */
  async invited(name: string, options: UserOptions = {}): Promise<BrokerUser> {
    const bytes = await this.registrarFixture.invite(name)
    const registrar = decodeInvitation(bytes)!.registrar
    const { address, trust } = this.registrarFixture.target()
    if (trust.kind === "unproven") throw new Error("a member knows its broker")
    const broker = { address, trust, registrar }
    return this.openUser(name, options, { broker, credential: { kind: "invitation", bytes } })
  }

  /** A user who has just run `init`. */
  newcomer(name: string, options: UserOptions = {}): Promise<BrokerUser> {
    return this.openUser(name, options, { broker: undefined, credential: undefined })
  }

  async openUser(name: string, options: UserOptions, config: BrokerUser["config"]): Promise<BrokerUser> {
    const folder = mkdtempSync(join(tmpdir(), "mqttchat-pair-"))
    const store = await openStore(join(folder, "messages.db"), systemRandom(32))
    const timers = new Map<NodeJS.Timeout, { readonly ms: number; readonly run: () => void }>()
    const after: Ports["after"] = (ms, run) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        run()
      }, ms)
      timers.set(timer, { ms, run })
      return () => {
        clearTimeout(timer)
        timers.delete(timer)
      }
    }
    const identity = createIdentity(systemRandom)
    const random = options.random ?? systemRandom
    const now = options.now ?? Date.now
    const applicant = (ledger?: LedgerWatch): Applicant => {
      return { identity, random: systemRandom, after, ...(ledger && { ledger }) }
    }
    const client = await openEngine({
      store,
      identity,
      name: () => name,
      connect: options.connect ?? connectMqtt,
      enroll: (request, ledger) => enroll(applicant(ledger), request),
      restore: (request, ledger) => restore(applicant(ledger), request),
      renew: (request, ledger) => renew(applicant(ledger), request),
      invite: ({ to, ...request }, ledger) =>
        (to === "person" ? requestInvitation : requestDevice)(applicant(ledger), request),
      requestHead: (request, ledger) => requestHead(applicant(ledger), request),
      config: {
        broker: () => config.broker,
        credential: () => config.credential,
        saveBroker: (broker) => {
          config.broker = broker
          return Promise.resolve()
        },
        saveCredential: (credential) => {
          config.credential = credential
          return Promise.resolve()
        },
        saveHints: () => Promise.resolve(),
        reload: () => undefined,
      },
      wallClock: now,
      uptime: now,
      boot: undefined,
      random,
      after,
      reach: () => undefined,
      debug: NO_DEBUG,
    })
    const events: Event[] = []
    let changed = (): void => undefined
    client.listen((event) => {
      events.push(event)
      changed()
    })
    const taken = new Set<Event>()
    this.#end.push(async () => {
      await client.close()
      await store.close()
      for (const timer of timers.keys()) clearTimeout(timer)
      rmSync(folder, { recursive: true, force: true })
    })
    return {
      client,
      store,
      events,
      config,
      next: async <K extends Event["kind"]>(kind: K) => {
        for (;;) {
          const found = events.find(
            (event): event is Extract<Event, { kind: K }> => event.kind === kind && !taken.has(event),
          )
          if (found !== undefined) {
            taken.add(found)
            return found
          }
          await new Promise<void>((resolve) => (changed = resolve))
        }
      },
      isWaitingFor: (ms) => [...timers.values()].some((due) => due.ms === ms),
      runTimers: (from, below = Infinity) => {
        for (const [timer, due] of [...timers]) {
          if (due.ms < from || due.ms >= below) continue
          clearTimeout(timer)
          timers.delete(timer)
          due.run()
        }
      },
    }
  }

  /** The code to type on the other laptop. */
  async code(owner: BrokerUser, words: 2 | 3 = 2): Promise<string> {
    const offer = await owner.client.call("pair-offer", { kind: "code", wordCount: words })
    return `${carrierOf(offer)}@${this.address}`
  }

  async end(): Promise<void> {
    for (const end of this.#end.reverse()) await end()
    await this.registrarFixture.end()
  }
}

export function carrierOf(offer: Offer): string {
  switch (offer.kind) {
    case "code":
      return offer.code
    case "link":
      return offer.link
    case "file":
      return offer.file
  }
}
