import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Journal, openJournal } from "../../src/broker/queues/journal.ts"
import type { JournalRecord } from "../../src/broker/queues/journal-record.ts"
import { folder } from "../keystore/folder.ts"

const PAYLOAD_BYTES = 64 * 1024
/** More than the 16 MiB at which a journal is rewritten. */
const MANY = 300

function queued(sequence: number, bytes = 1): JournalRecord {
  const payload = new Uint8Array(bytes)
  return { kind: "queued", session: "bob", sequence, at: 1, topic: "t", payload }
}

/** A journal of what is queued; what is settled is forgotten when it is rewritten. */
async function openIn(path: string): Promise<{ journal: Journal; kept: Map<number, JournalRecord> }> {
  const kept = new Map<number, JournalRecord>()
  const journal = await openJournal(join(path, "journal"), {
    apply: (record) => {
      if (record.kind === "queued") kept.set(record.sequence, record)
      if (record.kind === "settled") kept.delete(record.sequence)
    },
    snapshot: () => kept.values(),
  })
  return { journal, kept }
}

async function keptAfter(disk: Disk): Promise<number[]> {
  const path = folder()
  putBack(disk, path)
  const { journal, kept } = await openIn(path)
  await journal.close()
  return [...kept.keys()].sort((a, b) => a - b)
}

const REPLACED = [
  "sync journal.new",
  "synced journal.new",
  "rename journal.new journal",
  "sync .",
  "synced .",
]

test("the journal opens written, synced, named, and its name synced", async () => {
  const path = folder()
  const recorder = recordFolder(path)
  const { journal } = await openIn(path)
  recorder.note("open")
  expect(recorder.log).toEqual(["create journal.new", "write journal.new", ...REPLACED, "open"])
  await journal.close()
})

test("a record is written and synced before it is acknowledged, alone and behind what is not waited for", async () => {
  const path = folder()
  const { journal } = await openIn(path)
  const recorder = recordFolder(path)
  const acknowledged = ["write journal", "sync journal", "synced journal", "acknowledged"]
  await journal.commit(queued(1))
  recorder.note("acknowledged")
  journal.append(queued(2))
  await journal.settled()
  recorder.note("acknowledged")
  journal.append(queued(3))
  await journal.commit(queued(4))
  recorder.note("acknowledged")
  await journal.close()
  expect(recorder.log).toEqual([...acknowledged, ...acknowledged, ...acknowledged])
})

test("a power cut leaves all that was acknowledged, whenever it opened", async () => {
  let path = folder()
  const sequences: number[] = []
  for (let opening = 0; opening < 3; opening++) {
    const recorder = recordFolder(path)
    const { journal } = await openIn(path)
    expect(await keptAfter(recorder.cut())).toEqual(sequences)
    const next = 3 * opening
    await journal.commit(queued(next))
    await Promise.all([journal.commit(queued(next + 1)), journal.commit(queued(next + 2))])
    sequences.push(next, next + 1, next + 2)
    expect(await keptAfter(recorder.cut())).toEqual(sequences)
    await journal.close()
    path = folder()
    putBack(recorder.cut(), path)
  }
})

test("a power cut that keeps any part of a record, or of a new journal, leaves all that was acknowledged", async () => {
  const path = folder()
  const { journal: before } = await openIn(path)
  await before.commit(queued(1))
  await before.close()
  const recorder = recordFolder(path, { isTorn: true })
  const { journal } = await openIn(path)
  await journal.commit(queued(2))
  const from = recorder.torn.length
  await journal.commit(queued(3, 5000))
  const found: Set<string>[] = []
  for (const disks of [recorder.torn.slice(0, from), recorder.torn.slice(from)]) {
    const kept = new Set<string>()
    for (const disk of disks) kept.add((await keptAfter(disk)).join())
    found.push(kept)
  }
  expect(found).toEqual([new Set(["1", "1,2"]), new Set(["1,2", "1,2,3"])])
  await journal.close()
})

/** Until it has been rewritten in use: over 16 MiB that came and were settled at once, and a few that stay. */
async function rewrite(journal: Journal): Promise<number[]> {
  const remains: number[] = []
  const commits: Promise<void>[] = []
  for (let sequence = 1; sequence <= MANY; sequence++) {
    commits.push(journal.commit(queued(sequence, PAYLOAD_BYTES)))
    if (sequence % 50 === 1) remains.push(sequence)
    else commits.push(journal.commit({ kind: "settled", session: "bob", sequence }))
  }
  await Promise.all(commits)
  for (let sequence = MANY + 1; journal.stats().rewrites === 0; sequence++) {
    await journal.commit(queued(sequence))
    remains.push(sequence)
    // The rewrite has its turn, even where a commit takes none.
    await new Promise(setImmediate)
  }
  return remains
}

test("a rewrite in use is synced with all that came meanwhile before it takes the name, and the name too", async () => {
  const path = folder()
  const { journal } = await openIn(path)
  const recorder = recordFolder(path)
  const remains = await rewrite(journal)
  await journal.commit(queued(100_000))
  const log = recorder.log.slice(recorder.log.indexOf("create journal.new"))
  const last = log.lastIndexOf("sync journal.new")
  expect(log.indexOf("synced journal.new")).toBeLessThan(last)
  expect(log.slice(last - 1, last + REPLACED.length)).toEqual(["write journal.new", ...REPLACED])
  expect(await keptAfter(recorder.cut())).toEqual([...remains, 100_000])
  await journal.close()
})

test("a power cut anywhere in a rewrite leaves all that was acknowledged before", async () => {
  const path = folder()
  const { journal } = await openIn(path)
  const recorder = recordFolder(path)
  const remains = await rewrite(journal)
  const from = recorder.log.indexOf("create journal.new")
  expect(from).toBeGreaterThan(0)
  const inRewrite = recorder.cuts.slice(2 * from).map((disk) => disk.get("journal"))
  for (const bytes of new Set(inRewrite)) {
    const kept = await keptAfter(new Map([["journal", bytes ?? Buffer.alloc(0)]]))
    expect(kept.filter((sequence) => sequence <= MANY)).toEqual(
      remains.filter((sequence) => sequence <= MANY),
    )
  }
  await journal.close()
})
