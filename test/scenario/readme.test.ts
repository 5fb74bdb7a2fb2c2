import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { CTRL_C, CTRL_D, DOWN, ENTER, type Terminal } from "../cli/terminal.ts"
import { Machines } from "./newcomer.ts"
import { asShown, commandsOf, shownAfter, type Instruction } from "./readme-commands.ts"

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
/** A question that was answered: what was asked, and what was typed where it may be seen. */
const ANSWERED = /^✔ (.*?[:?])(?: (.*))?$/
const SENT_ROW = /^> (.+)$/
const RECEIVED_ROW = /^\d\d:\d\d alice: (.+)$/
/** Who locks their keys, and with what. */
const PASSPHRASES: Readonly<Record<string, string>> = { alice: "correct horse battery staple" }
/** The tests share a machine, so that the port is one that is free. */
const ANY_PORT = " --port 0"

/** The commands of the README that were not typed yet. */
class Reader {
  readonly #left = [...commandsOf(README, "See it work"), ...commandsOf(README, "Two laptops")]

  /** The first that fits. @throws Error if there is none. */
  next(wanted: RegExp): Instruction {
    const at = this.#left.findIndex(({ command }) => wanted.test(command))
    const [instruction] = at < 0 ? [] : this.#left.splice(at, 1)
    if (instruction === undefined) throw new Error(`README has no command like ${wanted}`)
    return instruction
  }

  get left(): readonly string[] {
    return this.#left.map(({ command }) => command)
  }
}

/** Answers and sees what stands beneath a command in the README, row by row. */
async function follow(terminal: Terminal, who: string, rows: readonly string[]): Promise<void> {
  for (const row of rows) {
    const [, question, answer] = ANSWERED.exec(row) ?? []
    if (question === undefined) await terminal.shows(asShown(row.trim()))
    else await reply(terminal, question, answer ?? PASSPHRASES[who] ?? "")
    if (question !== undefined) await terminal.shows(asShown(`✔ ${question}`))
  }
}

/** What ends in a colon wants a text, and a question wants Yes or one of a list, whose first is chosen already. */
async function reply(terminal: Terminal, question: string, answer: string): Promise<void> {
  await terminal.shows(asShown(`? ${question}`))
  const isListed = question.endsWith("?") && answer !== "Yes"
  if (isListed) await terminal.shows(new RegExp(`❯ ${asShown(answer).source}`))
  const typed = answer === "Yes" ? "y" : answer
  terminal.type((isListed ? "" : typed) + ENTER)
}

async function succeeds(terminal: Terminal): Promise<void> {
  expect((await terminal.ended()).exitCode, terminal.text).toBe(0)
}

/** In a clone: sees the demo, installs, and throws the clone away. */
async function install(reader: Reader, users: Machines): Promise<void> {
  const clone = users.clone()
  const demo = reader.next(/^npm run demo$/)
  const shown = users.types("alice", demo.command, clone)
  const rows = shownAfter(README, demo.command)
  for (const row of rows.slice(0, rows.indexOf(""))) await shown.shows(asShown(row))
  await succeeds(shown)
  const interactive = users.types("alice", reader.next(/^npm run demo -- --interactive$/).command, clone)
  await interactive.shows(/Paste these into two terminals/)
  interactive.type(CTRL_C)
  await interactive.ended()
  await succeeds(users.types("alice", reader.next(/^npm config set prefix/).command, clone))
  await succeeds(users.types("alice", reader.next(/^npm pack && npm install/).command, clone))
  rmSync(clone, { recursive: true })
}

/** The broker that stays, and what others must know of it. */
async function serve(reader: Reader, users: Machines): Promise<{ at: string; pin: string }> {
  const broker = users.types("alice", reader.next(/^mqttchat broker$/).command + ANY_PORT)
  await broker.shows(/Who should reach this broker\?/)
  broker.type(DOWN + ENTER)
  const [, at = ""] = await broker.shows(/broker running +mqtts:\/\/(\S+)/)
  const [, pin = ""] = await broker.shows(/its pin +([0-9A-F ]+)/)
  return { at, pin: pin.replaceAll(" ", "") }
}

/** A machine may be on no network, or on several. */
async function serveNetwork(reader: Reader, users: Machines): Promise<void> {
  const broker = users.types("carol", reader.next(/^mqttchat broker --lan$/).command + ANY_PORT)
  const started = /broker running|is on no network|(Which address of this laptop\?)/
  const [, isAsked] = await broker.shows(started)
  if (isAsked !== undefined) {
    broker.type(ENTER)
    await broker.shows(/broker running/)
  }
  broker.type(CTRL_C)
  await broker.ended()
}

/** Two people meet by a code and talk. */
async function pairUp(reader: Reader, users: Machines): Promise<void> {
  const offered = reader.next(/^mqttchat pair$/)
  const atAlice = users.types("alice", offered.command)
  await follow(atAlice, "alice", offered.rows)
  const [, code = ""] = await atAlice.shows(/mqttchat pair (\S+@\S+)/)
  const typed = reader.next(/^mqttchat pair \S+@\S+$/)
  const atBob = users.types("bob", typed.command.replace(/\S+@\S+/, code))
  const chat = typed.rows.findIndex((row) => SENT_ROW.test(row))
  await Promise.all([
    follow(atBob, "bob", typed.rows.slice(0, chat)),
    follow(atAlice, "alice", ["✔ Do you both see the same four words? Yes", "✔ Open the chat now? Yes"]),
  ])
  await atAlice.shows(/\/help lists/)
  for (const row of typed.rows.slice(chat)) {
    const [, sent] = SENT_ROW.exec(row) ?? []
    const [, received] = RECEIVED_ROW.exec(row) ?? []
    if (sent !== undefined) atBob.type(sent + ENTER)
    if (sent !== undefined) await atAlice.shows(asShown(`bob: ${sent}`))
    if (received !== undefined) atAlice.type(received + ENTER)
    if (received !== undefined) await atBob.shows(asShown(`alice: ${received}`))
  }
  for (const terminal of [atBob, atAlice]) {
    terminal.type(CTRL_D)
    await succeeds(terminal)
  }
}

test("every command of the README does what it says, for somebody who is not root and throws the clone away", async () => {
  const reader = new Reader()
  const users = new Machines()
  await install(reader, users)

  const init = reader.next(/^mqttchat init$/)
  const atAlice = users.types("alice", init.command)
  await follow(atAlice, "alice", init.rows)
  await succeeds(atAlice)
  const { at, pin } = await serve(reader, users)
  await serveNetwork(reader, users)
  await pairUp(reader, users)
  await succeeds(users.types("bob", reader.next(/^mqttchat verify alice --yes$/).command))

  const there = reader.next(/^mqttchat init --broker \S+ --pin \S+$/).command
  const atCarol = users.types("carol", there.replace("pi.local", at).replace(/\S+$/, pin))
  await reply(atCarol, "Your name (what contacts see):", "carol")
  await reply(atCarol, "Passphrase to lock your keys (empty = none, this account only):", "")
  await succeeds(atCarol)

  const byFile = users.types("alice", reader.next(/^mqttchat pair --file \S+$/).command)
  await reply(byFile, "Passphrase:", PASSPHRASES["alice"] ?? "")
  await succeeds(byFile)
  expect(existsSync(join(users.homeOf("alice"), "for-bob.mqttchat"))).toBe(true)
  expect(reader.left).toEqual([])
})
