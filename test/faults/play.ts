import { createHash } from "node:crypto"
import fc from "fast-check"

import type { Message } from "../../src/chat/api.ts"
import { toHex, type Random } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import { Town, type Person } from "../chat/people.ts"
import { copyDisk, putBack } from "./disks.ts"
import { expectLaw } from "./law.ts"
import type { Happening, Setback, Who } from "./schedule.ts"
import { bring, clear } from "./weather.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** All that a conversation of one schedule can hold. */
const ALL = 10_000
/** The last of the growing times between two sendings is an hour, and it may have to be a handshake that is sent first. */
const CLEARING_MS = 3 * HOUR_MS
/** After disks were put back a connection may be made anew only every hour, and three times a day. */
const HEALING_MS = 50 * HOUR_MS

/** Two people, and what they were promised and have lost. */
type Play = {
  readonly town: Town
  readonly people: readonly [Person, Person]
  readonly promised: readonly [string[], string[]]
  readonly copies: [Copy | undefined, Copy | undefined]
  readonly forgotten: readonly [Loss, Loss]
  count: number
}

type Loss = { readonly said: Set<string>; readonly heard: Set<string> }
/** What this person knew when the disk was copied. */
type Copy = { readonly promised: number; readonly heard: ReadonlySet<string>; readonly secret: string }

/** How many schedules have one seed. */
const SCHEDULES_A_SEED = 4

/** A schedule that fails is made shorter for so long at most. */
const SHRINKING_MS = 60_000

/** Plays schedules of this seed and those after it until at least so many texts were promised. Gives how many. */
export async function playThrough(
  schedules: fc.Arbitrary<(Happening | Setback)[]>,
  seed: number,
  texts: number,
): Promise<number> {
  let promised = 0
  const property = fc.asyncProperty(schedules, async (happenings) => {
    promised += await play(happenings)
  })
  for (let next = seed; promised < texts; next++) {
    await fc.assert(property, {
      seed: next,
      numRuns: SCHEDULES_A_SEED,
      interruptAfterTimeLimit: SHRINKING_MS,
    })
  }
  return promised
}

/** Plays a schedule to its end, lets the weather clear, and expects the law. Gives how many texts were promised. */
async function play(happenings: readonly (Happening | Setback)[]): Promise<number> {
  const town = new Town(chanceOf(happenings))
  const people = [await town.person("alice"), await town.person("bob")] as const
  await town.pair(...people)
  const loss = (): Loss => ({ said: new Set(), heard: new Set() })
  const it: Play = {
    town,
    people,
    promised: [[], []],
    copies: [undefined, undefined],
    forgotten: [loss(), loss()],
    count: 0,
  }
  for (const happening of happenings) await happen(it, happening)
  clear(town)
  const setBack = happenings.some((event) => event.kind === "do" && event.what === "put disk back")
  await town.clock.pass(setBack ? HEALING_MS : CLEARING_MS)
  for (const [sender, receiver] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const [from, to] = [people[sender], people[receiver]]
    const direction = {
      from: from.name,
      sent: (await talk(from, to)).filter(({ mine }) => mine),
      received: (await talk(to, from)).filter(({ mine }) => !mine),
      promised: it.promised[sender],
    }
    const forgotten = { said: it.forgotten[sender].said, heard: it.forgotten[receiver].heard }
    expectLaw(direction, ...(setBack ? [forgotten] : []))
  }
  await Promise.all(people.map((person) => person.stop()))
  return it.promised[0].length + it.promised[1].length
}

/** The same schedule has the same keys, and who of the two has the smaller identity is as it was. */
function chanceOf(happenings: readonly (Happening | Setback)[]): Random {
  const schedule = JSON.stringify(happenings)
  let drawn = 0
  return (length) => {
    const bytes = createHash("shake256", { outputLength: length }).update(`${drawn++} ${schedule}`).digest()
    return new Uint8Array(bytes)
  }
}

async function happen(play: Play, event: Happening | Setback): Promise<void> {
  const { town } = play
  const { office, clock } = town
  switch (event.kind) {
    case "say":
      for (let n = 0; n < event.count; n++) say(play, event.who)
      return
    case "pass":
      return clock.pass(event.ms)
    case "weather":
      bring(town, event.fates)
      return
    case "die":
      await play.people[event.who].die()
      await clock.pass(event.ms)
      return play.people[event.who].start()
    case "hang-up":
      office.close()
      await clock.pass(event.ms)
      office.reopen()
      return
    case "forget":
      office.close()
      if (event.sessionPresent) office.loseLetters()
      else office.forgetAll()
      office.reopen()
      return
    case "replay":
      for (const { topic, payload } of office.seen.slice(-event.last)) office.forge(topic, payload)
      return
    case "full disk":
      play.people[event.who].fillDisk(true)
      await clock.pass(event.ms)
      play.people[event.who].fillDisk(false)
      office.reopen()
      return
    case "jump":
      clock.jump(event.days * DAY_MS)
      return
    case "do":
      return act(play, event)
  }
}

async function act(play: Play, { what, who }: Extract<Happening | Setback, { kind: "do" }>): Promise<void> {
  const { client } = play.people[who]
  const peer = play.people[other(who)].name
  switch (what) {
    case "reset":
      void client.call("reset", { contact: peer }).catch(expectFault)
      return
    case "cancel":
      for (const { contact, id } of (await client.call("outbox", {})).slice(0, 1)) {
        void client.call("cancel", { contact, id }).catch(expectFault)
      }
      return
    case "look":
      await client.call("inbox", { take: true })
      return
    case "copy disk":
      return keepCopy(play, who)
    case "put disk back":
      return putItBack(play, who)
  }
}

/** The next of this person's texts; whoever dies before it is on disk was promised nothing. */
function say(play: Play, who: Who): void {
  const { people, promised } = play
  const [speaker, hearer] = [people[who], people[other(who)]]
  const text = `${speaker.name} ${play.count++}`
  speaker.send(hearer.name, text).then(() => promised[who].push(text), expectFault)
}

async function keepCopy(play: Play, who: Who): Promise<void> {
  const person = play.people[who]
  const heard = new Set(await person.texts(play.people[other(who)].name))
  play.copies[who] = { promised: play.promised[who].length, heard, secret: await secretOf(person) }
  await copyDisk(person)
}

/** Not across a recovery: what the peer holds since then opens nothing for a disk from before. */
async function putItBack(play: Play, who: Who): Promise<void> {
  const [person, peer] = [play.people[who], play.people[other(who)]]
  const copy = play.copies[who]
  play.copies[who] = undefined
  if (
    copy === undefined ||
    copy.secret !== (await secretOf(peer)) ||
    copy.secret !== (await secretOf(person))
  )
    return
  const { held } = await person.store.opening()
  const heard = [...(await person.texts(peer.name)), ...held.flatMap(({ text }) => text?.text ?? [])]
  for (const text of heard) if (!copy.heard.has(text)) play.forgotten[who].heard.add(text)
  await putBack(person)
  for (const text of play.promised[who].slice(copy.promised)) play.forgotten[who].said.add(text)
}

/** Names the session, where both are in the same. */
async function secretOf({ store }: Person): Promise<string> {
  const { contacts } = await store.opening()
  return contacts.map(({ state, recoverySecret }) => `${state} ${toHex(recoverySecret)}`).join()
}

function other(who: Who): Who {
  return who === 0 ? 1 : 0
}

async function talk(person: Person, peer: Person): Promise<Message[]> {
  return person.client.call("history", { with: peer.name, limit: ALL })
}

/** The engine may refuse; anything else is a bug. */
function expectFault(refusal: unknown): void {
  if (!(refusal instanceof Fault)) throw refusal
}
