import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  type RunOptions,
  pair,
  type User,
  initHost,
  startBroker,
  ScenarioFixture,
} from "./scenario-fixture.ts"

const PAGE_BYTES = 4096
/** A message not printed after so many tries never is. */
const ASKED_MAX = 500

/** A disk for a home, and how to fill it and free it. */
type Disk = {
  readonly path: string
  /** Leaves room for so many pages; commands run meanwhile have no more. */
  readonly fill: (pages: number) => RunOptions
  readonly free: () => void
  readonly remove: () => void
}

/** A separate disk that is really full. */
function mounted(path: string): Disk {
  mkdirSync(path)
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", path], { stdio: "pipe" })
  const ballast = (number: number): string => join(path, `ballast-${number}`)
  return {
    path,
    fill: (pages) => {
      for (let number = 0; number < pages; number++) fillUp(ballast(number), PAGE_BYTES)
      fillUp(join(path, "ballast"), Infinity)
      for (let number = 0; number < pages; number++) rmSync(ballast(number))
      return {}
    },
    free: () => rmSync(join(path, "ballast"), { force: true }),
    remove: () => execFileSync("umount", ["-l", path]),
  }
}

function fillUp(path: string, bytes: number): void {
  const file = openSync(path, "w")
  try {
    for (let left = bytes; left > 0; left -= PAGE_BYTES) writeSync(file, Buffer.alloc(PAGE_BYTES))
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
  } finally {
    closeSync(file)
  }
}

/** For machines where nothing can be mounted: no file of the process may grow beyond the limit. */
function limited(path: string): Disk {
  mkdirSync(path)
  // POSIX counts in blocks of 512 bytes.
  const command = 'trap "" XFSZ; ulimit -f "$0"; exec "$@"'
  return {
    path,
    fill: (pages) => ({ wrapper: ["sh", "-c", command, String((pages * PAGE_BYTES) / 512)] }),
    free: () => undefined,
    remove: () => undefined,
  }
}

function canMount(): boolean {
  const fixture = new ScenarioFixture()
  try {
    mounted(join(fixture.folder, "disk")).remove()
    return true
  } catch {
    return false
  } finally {
    void fixture.end()
  }
}

const DISKS = [
  ["a limit on the size of files", limited, [0]] as const,
  ...(canMount() ? [["a full disk", mounted, [0, 1]] as const] : []),
]

/** Space left for a message: none even for the lock; the lock, but no transaction; the beginning of one. */
const ROOM_PAGES = [0, 1, 2, 3]

async function expectFull(who: User, args: readonly string[], full: RunOptions): Promise<void> {
  let ended = await who.run([...args, "--json"], full)
  // Messages that the broker kept can take a while: an empty result is not final.
  for (let asked = 0; asked < ASKED_MAX && ended.code === 0 && ended.stdout === ""; asked++)
    ended = await who.run([...args, "--json"], full)
  const { code, stderr, stdout } = ended
  expect({ code, stdout }, stderr).toEqual({ code: 74, stdout: "" })
  expect(stderr).toMatch(
    /^\{"schema":"mqttchat\/error\/1","code":"disk-full","exit":74,"message":"[^"]* disk/,
  )
}

describe.concurrent.each(DISKS)("%s", (_name, disk, roomForInit) => {
  it("stops a message with a clear error, and everything acknowledged before is kept", async ({
    onTestFinished,
  }) => {
    const { bob, alice, volume } = await begin(disk, onTestFinished)
    await bob.runJson("send", "alice", "before")
    for (const pages of ROOM_PAGES) {
      await expectFull(bob, ["send", "alice", `with room for ${pages}`], volume.fill(pages))
      volume.free()
      expect(await bob.history(alice), String(pages)).toEqual([{ mine: true, text: "before" }])
    }
    await bob.runJson("send", "alice", "after")
    expect(await alice.receiveTexts("before", "after")).toEqual(["before", "after"])
  })

  it("loses nothing that was sent to us: it arrives when there is room", async ({ onTestFinished }) => {
    const { bob, alice, volume } = await begin(disk, onTestFinished)
    await alice.runJson("send", "bob", "one")
    await alice.runJson("send", "bob", "two")
    for (const pages of ROOM_PAGES) {
      await expectFull(bob, ["inbox"], volume.fill(pages))
      volume.free()
    }
    expect(await bob.receiveTexts("one", "two")).toEqual(["one", "two"])
    await bob.runJson("send", "alice", "got both")
    expect(await alice.receiveTexts("got both")).toEqual(["got both"])
  })

  it("leaves no half-made profile behind", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    const volume = disk(join(fixture.folder, "disk"))
    onTestFinished(() => end(fixture, volume))
    const bob = fixture.user("bob", join(volume.path, "bob"))
    const init = ["init", "--name", "bob", "--no-passphrase", "--broker", "later"]
    for (const pages of roomForInit) {
      await expectFull(bob, init, volume.fill(pages))
      volume.free()
      expect(await bob.run(["contacts"])).toMatchObject({ code: 78 })
    }
    await bob.runJson(...init)
    expect(await bob.runJson("contacts")).toEqual([])
  })
})

type DiskScenario = { readonly alice: User; readonly bob: User; readonly volume: Disk }

/** Alice and Bob are paired, and Bob's home is on the disk. */
async function begin(
  disk: (path: string) => Disk,
  onTestFinished: (end: () => Promise<void>) => void,
): Promise<DiskScenario> {
  const fixture = new ScenarioFixture()
  const volume = disk(join(fixture.folder, "disk"))
  onTestFinished(() => end(fixture, volume))
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob", join(volume.path, "bob"))]
  await initHost(alice)
  await startBroker(alice)
  await pair(alice, bob)
  return { alice, bob, volume }
}

async function end(fixture: ScenarioFixture, volume: Disk): Promise<void> {
  volume.remove()
  await fixture.end()
}
