import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ChatClient, Event, Offer } from "../../src/chat/api.ts"
import { openEngine } from "../../src/chat/engine.ts"
import type { BrokerHome, Ports } from "../../src/chat/ports.ts"
import type { Random } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import type { Store } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { enroll, renew, requestDevice, requestInvitation, restore } from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Connect } from "../../src/transport/transport.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { formatAddress } from "../../src/wire/address.ts"
import { type FixtureOptions, newRegistrarFixture, type RegistrarFixture } from "../registrar/registrar-fixture.ts"

/** A person with a real store and a real link, and what a test may want to change about them. */
export type Tenant = {
  readonly client: ChatClient
  readonly store: Store
  readonly events: Event[]
  /** The next event of this kind, from the first one that was not yet taken. */
  readonly next: <K extends Event["event"]>(kind: K) => Promise<Extract<Event, { event: K }>>
  readonly home: { broker: BrokerHome | undefined; credential: StoredCredential | undefined }
  /** What `after` would do in `from` milliseconds or more, and in less than `below`, it does at once. */
  readonly hurry: (from: number, below?: number) => void
  /** Something waits exactly that long. */
  readonly isWaitingFor: (ms: number) => boolean
}

export type Wishes = {
  readonly random?: Random
  readonly connect?: Connect
  readonly now?: () => number
}

/** A real broker and registrar, and people around them. */
export class Household {
  readonly town: RegistrarFixture
  readonly #end: (() => Promise<void>)[] = []

  private constructor(town: RegistrarFixture) {
    this.town = town
  }

  static async open(change: Partial<FixtureOptions> = {}): Promise<Household> {
    return new Household(await newRegistrarFixture(change))
  }

  get place(): string {
    return formatAddress(this.town.target().address)
  }

  /** Somebody with a device certificate of this broker. */
  async member(name: string, wishes: Wishes = {}): Promise<Tenant> {
    const tenant = await this.invited(name, wishes)
    await tenant.next("link")
    return tenant
  }

  /** Somebody who has an invitation and is just using it. */
  async invited(name: string, wishes: Wishes = {}): Promise<Tenant> {
    const bytes = await this.town.invite(name)
    const registrar = decodeInvitation(bytes)!.registrar
    const { address, trust } = this.town.target()
    if (trust.kind === "unproven") throw new Error("a member knows its broker")
    const broker = { address, trust, registrar }
    return this.person(name, wishes, { broker, credential: { kind: "invitation", bytes } })
  }

  /** Somebody who has just done `init`. */
  newcomer(name: string, wishes: Wishes = {}): Promise<Tenant> {
    return this.person(name, wishes, { broker: undefined, credential: undefined })
  }

  async person(name: string, wishes: Wishes, home: Tenant["home"]): Promise<Tenant> {
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
    const random = wishes.random ?? systemRandom
    const applicant = { identity, random: systemRandom, after }
    const client = await openEngine({
      store,
      identity,
      name,
      connect: wishes.connect ?? connectMqtt,
      enroll: (request) => enroll(applicant, request),
      restore: (request) => restore(applicant, request),
      renew: (request) => renew(applicant, request),
      invite: (request) => (request.to === "person" ? requestInvitation : requestDevice)(applicant, request),
      home: {
        broker: () => home.broker,
        credential: () => home.credential,
        saveBroker: (broker) => {
          home.broker = broker
          return Promise.resolve()
        },
        saveCredential: (credential) => {
          home.credential = credential
          return Promise.resolve()
        },
        saveLearnt: () => Promise.resolve(),
      },
      now: wishes.now ?? Date.now,
      random,
      after,
      reach: () => undefined,
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
      home,
      next: async <K extends Event["event"]>(kind: K) => {
        for (;;) {
          const found = events.find(
            (event): event is Extract<Event, { event: K }> => event.event === kind && !taken.has(event),
          )
          if (found !== undefined) {
            taken.add(found)
            return found
          }
          await new Promise<void>((resolve) => (changed = resolve))
        }
      },
      isWaitingFor: (ms) => [...timers.values()].some((due) => due.ms === ms),
      hurry: (from, below = Infinity) => {
        for (const [timer, due] of [...timers]) {
          if (due.ms < from || due.ms >= below) continue
          clearTimeout(timer)
          timers.delete(timer)
          due.run()
        }
      },
    }
  }

  /** What to type on the other laptop. */
  async code(owner: Tenant, words: 2 | 3 = 2): Promise<string> {
    const offer = await owner.client.call("pair-offer", { by: "code", words })
    return `${carrierOf(offer)}@${this.place}`
  }

  async end(): Promise<void> {
    for (const end of this.#end.reverse()) await end()
    await this.town.end()
  }
}

export function carrierOf(offer: Offer): string {
  switch (offer.by) {
    case "code":
      return offer.code
    case "link":
      return offer.link
    case "file":
      return offer.file
  }
}
