import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { CTRL_C, CTRL_D, DOWN, ENTER, type Terminal } from "../cli/terminal.ts"
import { Machines } from "./newcomer.ts"
import { asShown, commandsOf, shownAfter, type Instruction } from "./readme-commands.ts"

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
/** A prompt that was answered: its text, and the answer, unless it is hidden. */
const ANSWERED = /^✔ (.*?[:?])(?: (.*))?$/
const SENT_ROW = /^> (.+)$/
const RECEIVED_ROW = /^\d\d:\d\d alice: (.+)$/
/** The users who lock their keys, and their passphrases. */
const PASSPHRASES: Readonly<Record<string, string>> = { alice: "correct horse battery staple" }
/** The tests share a machine, so the port must be a free one. */
const ANY_PORT = " --port 0"

/** The commands of the README that were not yet typed. */
class Reader {
  readonly #left = [...commandsOf(README, "See it work"), ...commandsOf(README, "Two laptops")]

  /** The first that matches. @throws Error if there is none. */
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

/** Answers prompts and expects the output below a command in the README, line by line. */
async function follow(terminal: Terminal, who: string, rows: readonly string[]): Promise<void> {
  for (const row of rows) {
    const [, question, answer] = ANSWERED.exec(row) ?? []
    if (question === undefined) await terminal.shows(asShown(row.trim()))
    else await reply(terminal, question, answer ?? PASSPHRASES[who] ?? "")
    if (question !== undefined) await terminal.shows(asShown(`✔ ${question}`))
  }
}

/** A prompt that ends in a colon takes a text; a question takes Yes or an entry of a list, whose first is preselected. */
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

/** In a clone: runs the demo, installs, and deletes the clone. */
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

/** The broker that keeps running, and what others must know of it. */
async function serve(reader: Reader, users: Machines): Promise<{ at: string; pin: string }> {
  const broker = users.types("alice", reader.next(/^mqttchat broker$/).command + ANY_PORT)
  await broker.shows(/Who should reach this broker\?/)
  broker.type(DOWN + ENTER)
  const [, at = ""] = await broker.shows(/broker running +mqtts:\/\/(\S+)/)
  const [, pin = ""] = await broker.shows(/its pin +([0-9A-F ]+)/)
  return { at, pin: pin.replaceAll(" ", "") }
}

/** A machine may have no network address, or several. */
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

/** Two users pair by a code and write. */
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

/** A link stays open when the command that made it has ended, until it is cancelled. */
async function offers(reader: Reader, users: Machines): Promise<void> {
  const typed = (pattern: RegExp): string => reader.next(pattern).command
  const link = users.types("alice", typed(/^mqttchat pair --link$/))
  await reply(link, "Passphrase:", PASSPHRASES["alice"] ?? "")
  await link.shows(/mqttchat:\/\//)
  link.type(CTRL_C)
  await link.ended()
  const list = users.types("alice", typed(/^mqttchat pair --list$/))
  await reply(list, "Passphrase:", PASSPHRASES["alice"] ?? "")
  const [, id = ""] = await list.shows(/(\S+) +link +/)
  await succeeds(list)
  const cancel = users.types("alice", typed(/^mqttchat pair --cancel \S+$/).replace(/\S+$/, id))
  await reply(cancel, "Passphrase:", PASSPHRASES["alice"] ?? "")
  await succeeds(cancel)
}

test("every command of the README works as described, for a user who is not root and deletes the clone", async () => {
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

  const moved = reader.next(/^mqttchat config set broker \S+$/).command
  await succeeds(users.types("carol", moved.replace(/\S+$/, at)))

  const byFile = users.types("alice", reader.next(/^mqttchat pair --file \S+$/).command)
  await reply(byFile, "Passphrase:", PASSPHRASES["alice"] ?? "")
  await succeeds(byFile)
  expect(existsSync(join(users.homeOf("alice"), "for-bob.mqttchat"))).toBe(true)
  await offers(reader, users)
  expect(reader.left).toEqual([])
})
