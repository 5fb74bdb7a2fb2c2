import { createHash } from "node:crypto"
import { constants, open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { dirname } from "node:path"

import * as v from "valibot"

import { codeOf, Fault } from "../errors.ts"
import { SerialQueue } from "../async/serial-queue.ts"
import { diskFault } from "../fs/disk-fault.ts"
import { makeFolder } from "../fs/private-folder.ts"
import { syncFolder } from "../fs/sync-folder.ts"
import { writeAll } from "../fs/write-all.ts"
import { LINK_BYTES, type LedgerPoint, type LedgerView } from "../wire/ledger-view.ts"
import {
  emptyRegistryState,
  applyEntry,
  type Entry,
  type MutableRegistryState,
  type RegistryState,
} from "./registry-state.ts"

/** A member takes about 1.5 kB: this is some forty thousand of them, and no file of ours by mistake. */
const LEDGER_BYTES_MAX = 64 * 1024 * 1024
const FIELD_MAX = 2048
const FIRST_LINK = "0".repeat(64)

const text = v.pipe(v.string(), v.maxLength(FIELD_MAX))
const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const EntrySchema = v.variant("kind", [
  v.strictObject({
    kind: v.literal("invited"),
    at: time,
    user: text,
    name: text,
    secretHash: text,
    expiresAt: time,
    by: v.nullable(text),
    operator: v.boolean(),
  }),
  v.strictObject({
    kind: v.literal("admitted"),
    at: time,
    user: text,
    device: text,
    sign: text,
    spkiHash: text,
    secretHash: text,
    requestHash: text,
    deviceName: text,
    certificate: text,
  }),
  v.strictObject({
    kind: v.literal("restored"),
    at: time,
    user: text,
    device: text,
    replaces: text,
    sign: text,
    spkiHash: text,
    requestHash: text,
    askedAt: time,
    deviceName: text,
    certificate: text,
  }),
  v.strictObject({
    kind: v.literal("renewed"),
    at: time,
    device: text,
    requestHash: text,
    certificate: text,
  }),
  v.strictObject({ kind: v.literal("renamed"), at: time, user: text, name: text }),
  v.strictObject({ kind: v.literal("revoked"), at: time, user: text, device: v.nullable(text) }),
  v.strictObject({ kind: v.literal("expelled"), at: time, device: text }),
  v.strictObject({ kind: v.literal("imported"), at: time, id: text }),
  v.strictObject({ kind: v.literal("inviters"), at: time, members: v.boolean() }),
  v.strictObject({ kind: v.literal("authority"), at: time, pin: text }),
])

/** `link` is SHA-256 over the link before it and the entry, so that no line can be changed, moved or left out. */
const LineSchema = v.strictObject({ link: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), entry: EntrySchema })

export type Ledger = {
  readonly state: RegistryState
  /** The newest entry. */
  readonly head: () => LedgerPoint
  /** What a device is told that knows of the entry with the number `known`. */
  readonly view: (known: number) => LedgerView
  /** Resolves when the entry is on disk. Rejects with Fault `disk-full` or `io`: then nothing has changed. */
  readonly append: (entry: Entry) => Promise<void>
  /**
   * One at a time: what is decided on the roll is on disk before the next one looks at it. Rejects as `append`, and
   * with the error of `decide`.
   */
  readonly transact: <T extends { readonly entry: Entry | undefined }>(
    decide: (state: RegistryState) => T | Promise<T>,
  ) => Promise<T>
  readonly close: () => Promise<void>
}

/**
 * Opens or makes the append-only record of who was let in (0600, one JSON line each). A last line that a crash cut
 * off, or that has a hole, is taken away: it was never acknowledged. Anything else that does not fit is Fault `bad-data`.
 */
export async function openLedger(path: string): Promise<Ledger> {
  const file = await openFile(path)
  try {
    const loaded = replay(await readContents(file, path), path)
    await file.truncate(loaded.length)
    // A new file's name must outlast a power cut as its entries do.
    await syncFolder(dirname(path))
    return ledger(file, loaded)
  } catch (error) {
    await file.close()
    throw error instanceof Fault ? error : diskFault(error, `read ${path}`)
  }
}

/** The ledger as it stands on disk, for reading only, while another process may be writing it. */
export type LedgerContents = {
  readonly state: RegistryState
  /** Oldest first, each with the link that it made. */
  readonly lines: readonly { readonly link: string; readonly entry: Entry }[]
}

/** Undefined where there is none. Faults as `openLedger`; a last line that is still being written is left out. */
export async function readLedger(path: string): Promise<LedgerContents | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY)
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw diskFault(error, `open ${path}`)
  }
  try {
    const lines: { link: string; entry: Entry }[] = []
    const { state } = replay(await readContents(file, path), path, (link, entry) =>
      lines.push({ link, entry }),
    )
    return { state, lines }
  } finally {
    await file.close()
  }
}

/** What has been written: the roll it adds up to, the link of each entry after `FIRST_LINK`, and its bytes. */
type LoadedLedger = { readonly state: MutableRegistryState; readonly links: string[]; length: number }

function ledger(file: FileHandle, loaded: LoadedLedger): Ledger {
  // after a failure the next write starts where the last whole line ends
  const turns = new SerialQueue()
  const write = async (entry: Entry): Promise<void> => {
    const link = linkOf(lastOf(loaded.links), entry)
    const line = Buffer.from(`${JSON.stringify({ link, entry })}\n`)
    if (loaded.length + line.length > LEDGER_BYTES_MAX) throw ledgerFull()
    await appendLine(file, line, loaded.length)
    applyEntry(loaded.state, entry)
    loaded.links.push(link)
    loaded.length += line.length
  }
  return {
    state: loaded.state,
    head: () => pointAt(loaded.links, loaded.links.length - 1),
    view: (known) => ({
      ...pointAt(loaded.links, loaded.links.length - 1),
      linkAtKnown: pointAt(loaded.links, known).link,
    }),
    append: (entry) => turns.run(() => write(entry)),
    transact: (decide) =>
      turns.run(async () => {
        const decided = await decide(loaded.state)
        if (decided.entry !== undefined) await write(decided.entry)
        return decided
      }),
    close: async () => {
      await turns.idle()
      await file.close()
    },
  }
}

/** Zeros for a number that the ledger does not reach. */
function pointAt(links: readonly string[], number: number): LedgerPoint {
  const link = new Uint8Array(LINK_BYTES)
  link.set(Buffer.from(links[number] ?? "", "hex"))
  return { number, link }
}

function lastOf(links: readonly string[]): string {
  return links.at(-1) ?? FIRST_LINK
}

/** What is longer would not be opened again. */
function ledgerFull(): Fault {
  return new Fault("disk-full", "the registrar's ledger has reached its 64 MiB", "mqttchat broker log")
}

/** The whole line on disk, or none of it. */
async function appendLine(file: FileHandle, line: Buffer, at: number): Promise<void> {
  try {
    await writeAll(file, line, at)
    await file.datasync()
  } catch (error) {
    await file.truncate(at).catch(() => undefined)
    throw diskFault(error, "write the registrar's ledger")
  }
}

async function openFile(path: string): Promise<FileHandle> {
  makeFolder(dirname(path))
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  } catch (error) {
    throw diskFault(error, `open ${path}`)
  }
}

async function readContents(file: FileHandle, path: string): Promise<string> {
  const { size } = await file.stat()
  if (size > LEDGER_BYTES_MAX) throw damaged(path)
  return file.readFile("utf8")
}

function replay(
  text: string,
  path: string,
  onEntry: (link: string, entry: Entry) => void = () => undefined,
): LoadedLedger {
  const whole = wholeLines(text)
  const state = emptyRegistryState()
  const links = [FIRST_LINK]
  for (const line of whole.split("\n").slice(0, -1)) {
    const read = readLine(line, lastOf(links))
    if (read === undefined) throw damaged(path)
    applyEntry(state, read.entry)
    links.push(read.link)
    onEntry(read.link, read.entry)
  }
  return { state, links, length: Buffer.byteLength(whole) }
}

/** A last line is of no use if it has no end, or a hole: what a power cut kept from the disk is read as zeros. */
function wholeLines(text: string): string {
  const ended = text.slice(0, text.lastIndexOf("\n") + 1)
  const last = ended.slice(0, -1).lastIndexOf("\n") + 1
  return ended.includes("\0", last) ? ended.slice(0, last) : ended
}

function readLine(line: string, before: string): { link: string; entry: Entry } | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), LineSchema), line)
  if (!parsed.success) return undefined
  const { link, entry } = parsed.output
  return link === linkOf(before, entry) ? { link, entry } : undefined
}

function linkOf(before: string, entry: Entry): string {
  const fields = JSON.stringify(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash("sha256").update(before).update(fields).digest("hex")
}

function damaged(path: string): Fault {
  return new Fault("bad-data", `the registrar's ledger ${path} is damaged`, "put back a copy of it")
}
