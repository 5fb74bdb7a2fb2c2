import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"

import { DAY_MS } from "../../src/time-units.ts"
import { copyDisk, rollBackDisk } from "./disks.ts"
import type { BrokerLimit, Damage, HistoryEvent } from "./history-events.ts"
import { expectFault, historyOf, promisedTo, type HistoryFixture, type Person } from "./history-fixture.ts"
import { clearFrameFaults, hangUp, replayLast, restartForgetting, setFrameFaults } from "./network-model.ts"

const PAGE_BYTES = 2048
const LOG_HEADER_BYTES = 32
/** Smaller than a handshake, larger than a short text. */
const PACKET_BYTES = 1_500
const QUEUE_MAX = 100
const QUOTA_EXCEEDED = 0x97
const DISCONNECTED = 0x97

export async function happen(history: HistoryFixture, event: HistoryEvent): Promise<void> {
  const { engines } = history
  const { broker, clock } = engines
  history.happened.add(event.kind)
  switch (event.kind) {
    case "say":
      for (let n = 0; n < event.count; n++) void history.say(history.direction(event.who, event.to))
      return
    case "change":
      return change(history, event)
    case "act":
      return act(history, event)
    case "timer": {
      const { from, to } = history.direction(event.who, event.to)
      const timer = { contact: to.profile.name, timerSeconds: event.seconds }
      void from.profile.client.call("timer", timer).catch(expectFault)
      return
    }
    case "pass":
      return clock.pass(event.ms)
    case "network":
      setFrameFaults(engines, event.faults)
      return
    case "die":
      return whileDead(history, event, () => undefined)
    case "hang up":
      return hangUp(engines, event.ms)
    case "forget": {
      restartForgetting(engines, event.sessionPresent)
      return
    }
    case "replay": {
      replayLast(engines, event.last)
      return
    }
    case "full disk": {
      const { profile } = history.person(event.who)
      profile.fillDisk(true)
      await clock.pass(event.ms)
      profile.fillDisk(false)
      broker.reopen()
      return
    }
    case "clock":
      return setClock(history, event)
    case "suspend":
      clock.suspend(event.ms)
      return
    case "reboot":
      return whileDead(history, event, ({ machine }) => machine.boot())
    case "limit":
      limit(history, event.what)
      await clock.pass(event.ms)
      unlimited(history)
      return
    case "copy":
      return keepCopy(history.person(event.who))
    case "put back":
      return putBack(history.person(event.who))
    case "damage":
      return damage(history.person(event.who), event.how, event.at)
  }
}

/** All faults end, and the clocks are set right. */
export function endFaults(history: HistoryFixture): void {
  clearFrameFaults(history.engines)
  unlimited(history)
  for (const { machine } of history.people) machine.wrongBy = 0
}

type Of<Kind extends HistoryEvent["kind"]> = Extract<HistoryEvent, { readonly kind: Kind }>

/** A message of these: our own to edit or delete, of either to react to. */
async function change(history: HistoryFixture, { who, to, what, nth }: Of<"change">): Promise<void> {
  const direction = history.direction(who, to)
  const { client } = direction.from.profile
  const contact = direction.to.profile.name
  const all = await historyOf(direction.from, direction.to)
  const texts = all.filter(({ kind, mine }) => kind === "text" && (mine || what === "react"))
  const message = texts.at(-1 - (nth % Math.max(1, texts.length)))
  if (message === undefined) return
  const { id } = message
  if (what === "delete") direction.from.withdrawn.add(id)
  if (what === "edit") void client.call("edit", { contact, id, text: `${message.text}'` }).catch(expectFault)
  else if (what === "delete") void client.call("delete", { contact, id, forAll: true }).catch(expectFault)
  else void client.call("react", { contact, id, emoji: nth % 2 === 0 ? "👍" : "🎉" }).catch(expectFault)
}

async function act(history: HistoryFixture, { who, to, what }: Of<"act">): Promise<void> {
  const { from, to: other } = history.direction(who, to)
  const { client } = from.profile
  if (what === "reset") void client.call("reset", { contact: other.profile.name }).catch(expectFault)
  else if (what === "look") await client.call("inbox", { markRead: true })
  else
    for (const { contact, id, kind } of (await client.call("outbox", {})).slice(0, 1)) {
      if (kind !== "text") continue
      from.withdrawn.add(id)
      void client.call("cancel", { contact, id }).catch(expectFault)
    }
}

async function whileDead(
  history: HistoryFixture,
  { who, ms }: Of<"die" | "reboot">,
  meanwhile: (person: Person) => void,
): Promise<void> {
  const person = history.person(who)
  await person.profile.crash()
  await history.engines.clock.pass(ms)
  meanwhile(person)
  await person.profile.start()
}

/** For good if `ms` is 0: it is set right when the faults end. */
async function setClock(history: HistoryFixture, { who, days, ms }: Of<"clock">): Promise<void> {
  const { machine } = history.person(who)
  machine.wrongBy = days * DAY_MS
  if (ms === 0) return
  await history.engines.clock.pass(ms)
  machine.wrongBy = 0
}

function limit({ engines: { broker } }: HistoryFixture, what: BrokerLimit): void {
  if (what === "packet") broker.maximumPacketSize = PACKET_BYTES
  if (what === "queue") broker.keepsMax = QUEUE_MAX
  if (what === "quota") broker.refusal = () => QUOTA_EXCEEDED
  if (what === "hang up") broker.cutsAt = () => DISCONNECTED
  if (what === "filter") broker.refusesFilter = () => true
  broker.close()
  broker.reopen()
}

function unlimited({ engines: { broker } }: HistoryFixture): void {
  broker.maximumPacketSize = undefined
  broker.keepsMax = Infinity
  broker.refusal = () => undefined
  broker.cutsAt = () => undefined
  broker.refusesFilter = () => false
  broker.close()
  broker.reopen()
}

async function keepCopy(person: Person): Promise<void> {
  const counts = [...person.promised].map(([name, list]) => [name, list.length] as const)
  await copyDisk(person.profile)
  person.copy = { promised: new Map(counts) }
}

async function putBack(person: Person): Promise<void> {
  const { copy } = person
  if (copy === undefined) return
  person.hasLost = true
  for (const other of person.contacts) {
    const kept = copy.promised.get(other.profile.name) ?? 0
    for (const { id } of promisedTo(person, other).slice(kept)) person.forgotten.add(id)
  }
  await rollBackDisk(person.profile)
}

/** As if the process were killed, and the log that it left were damaged. */
async function damage(person: Person, how: Damage, at: number): Promise<void> {
  const { profile } = person
  const [database, log] = [`${profile.path}.now`, `${profile.path}-wal`]
  copyFileSync(profile.path, database)
  const bytes = existsSync(log) ? readFileSync(log) : undefined
  await profile.crash()
  if (bytes !== undefined && bytes.length > LOG_HEADER_BYTES) {
    copyFileSync(database, profile.path)
    writeFileSync(log, damaged(bytes, how, at))
    person.hasLost = true
    for (const other of person.contacts)
      for (const { id } of promisedTo(person, other)) person.forgotten.add(id)
  }
  await profile.start()
}

function damaged(bytes: Buffer, how: Damage, at: number): Buffer {
  const place = LOG_HEADER_BYTES + ((at * 7_919) % (bytes.length - LOG_HEADER_BYTES))
  if (how === "truncate") return bytes.subarray(0, place)
  if (how === "flip") bytes[place] = (bytes[place] ?? 0) ^ 1
  else bytes.fill(0, place, place + PAGE_BYTES)
  return bytes
}
