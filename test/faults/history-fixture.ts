import type { Message } from "../../src/engine/api.ts"
import type { Random } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { Machine } from "./machine.ts"

/** More messages than one conversation of a history can have. */
const ALL = 10_000

/** A text that was reported as being on its sender's disk. */
export type Promised = { readonly id: string; readonly text: string; readonly order: number }

export type Person = {
  readonly profile: TestProfile
  readonly machine: Machine
  readonly contacts: Person[]
  /** By the name of who shall get them. */
  readonly promised: Map<string, Promised[]>
  /** Ids of texts that this person cancelled or deleted. */
  readonly withdrawn: Set<string>
  /** How many texts to each were promised when the disk was copied. */
  copy: { readonly promised: ReadonlyMap<string, number> } | undefined
  /** Whether the disk was put back, or its log damaged. */
  hasLost: boolean
  /** Texts that were promised by a store which was put back. */
  readonly forgotten: Set<string>
}

/** Where two people meet: who writes, and to whom. */
export type Direction = { readonly from: Person; readonly to: Person }

/** People who are contacts of each other, and one broker. */
export class HistoryFixture {
  readonly engines: EngineFixture
  readonly people: readonly Person[]
  /** Kinds of events that happened. */
  readonly happened = new Set<string>()
  #texts = 0

  private constructor(engines: EngineFixture, people: readonly Person[]) {
    this.engines = engines
    this.people = people
  }

  /** Two are contacts of each other; of more each one is a contact of the next two. */
  static async open(count: number, random: Random): Promise<HistoryFixture> {
    const fixture = new EngineFixture(random)
    const people: Person[] = []
    for (let n = 0; n < count; n++) people.push(await newPerson(fixture, `person${n}`))
    const history = new HistoryFixture(fixture, people)
    for (const [n, person] of people.entries())
      for (const next of [1, 2]) {
        const other = history.person(n + next)
        if (other !== person && !person.contacts.includes(other)) await pairAndVerify(fixture, person, other)
      }
    // What is in the log may be damaged: the contacts are not.
    for (const { profile } of people) {
      await profile.crash()
      await profile.start()
    }
    return history
  }

  get directions(): Direction[] {
    return this.people.flatMap((from) => from.contacts.map((to) => ({ from, to })))
  }

  person(n: number): Person {
    const person = this.people[n % this.people.length]
    if (person === undefined) throw new Error("a history needs people")
    return person
  }

  direction(who: number, to: number): Direction {
    const from = this.person(who)
    const contact = from.contacts[to % from.contacts.length]
    if (contact === undefined) throw new Error(`${from.profile.name} has no contact`)
    return { from, to: contact }
  }

  say({ from, to }: Direction): Promise<void> {
    const order = this.#texts++
    const text = `${from.profile.name} says ${order}`
    const list = promisedTo(from, to)
    return from.profile
      .send(to.profile.name, text)
      .then((id) => void list.push({ id, text, order }), expectFault)
  }
}

export function promisedTo(from: Person, to: Person): Promised[] {
  const list = from.promised.get(to.profile.name) ?? []
  from.promised.set(to.profile.name, list)
  return list
}

export async function historyOf(of: Person, contact: Person): Promise<Message[]> {
  return of.profile.client.call("history", { contact: contact.profile.name, limit: ALL })
}

/** The engine may refuse; anything else is a bug. */
export function expectFault(refusal: unknown): void {
  if (!(refusal instanceof Fault)) throw refusal
}

async function newPerson(fixture: EngineFixture, name: string): Promise<Person> {
  const machine = new Machine(fixture.clock, name)
  const profile = await fixture.profile(name, machine.ports)
  return {
    profile,
    machine,
    contacts: [],
    promised: new Map(),
    withdrawn: new Set(),
    copy: undefined,
    hasLost: false,
    forgotten: new Set(),
  }
}

/** They pair, and have compared the words. */
async function pairAndVerify(fixture: EngineFixture, one: Person, other: Person): Promise<void> {
  await fixture.pair(one.profile, other.profile)
  for (const [person, contact] of [
    [one, other],
    [other, one],
  ] as const) {
    const { name } = contact.profile
    await person.profile.client.call("mark-verified", { contact: name, verified: true })
    person.contacts.push(contact)
  }
}
