import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { connectOrLock } from "../../src/cli/profile/connect-or-lock.ts"
import { Lifetime } from "../../src/cli/terminal/lifetime.ts"
import { lockHolder, takeLock } from "../../src/fs/lock-file.ts"

/** Longer than any of these tests may take. */
const FOR_EVER_MS = 3_600_000

type Client = { readonly close: () => Promise<void> }

function newLock(): string {
  return join(mkdtempSync(join(tmpdir(), "mqttchat-")), "lock")
}

it("gives the client of a process that answers, closes it with the command, and leaves the lock alone", async () => {
  const lifetime = new Lifetime()
  const lock = newLock()
  let isOpen = true
  const client: Client = { close: () => Promise.resolve(void (isOpen = false)) }
  const connect = (): Promise<Client> => Promise.resolve(client)
  const reached = await connectOrLock({ lifetime }, { connect, lock, waitMs: FOR_EVER_MS })
  expect(reached).toEqual({ kind: "connected", client })
  expect(lockHolder(lock)).toBeUndefined()
  await lifetime.close()
  expect(isOpen).toBe(false)
})

it("takes the lock that is free until the command ends", async () => {
  const lifetime = new Lifetime()
  const lock = newLock()
  const connect = (): Promise<undefined> => Promise.resolve(undefined)
  const reached = await connectOrLock({ lifetime }, { connect, lock, waitMs: FOR_EVER_MS })
  expect(reached).toEqual({ kind: "locked" })
  expect(lockHolder(lock)).toBe(process.pid)
  await lifetime.close()
  expect(lockHolder(lock)).toBeUndefined()
})

it("tries again while another process has the lock and does not answer yet", async () => {
  const lifetime = new Lifetime()
  const lock = newLock()
  const other = takeLock(lock)
  const client: Client = { close: () => Promise.resolve() }
  let attempts = 0
  const connect = (): Promise<Client | undefined> => Promise.resolve(++attempts < 3 ? undefined : client)
  expect(await connectOrLock({ lifetime }, { connect, lock, waitMs: FOR_EVER_MS })).toMatchObject({
    kind: "connected",
  })
  expect(attempts).toBe(3)
  expect(other.kind).toBe("taken")
})

it("names the process that does not answer when the time is up", async () => {
  const lock = newLock()
  takeLock(lock)
  const connect = (): Promise<undefined> => Promise.resolve(undefined)
  const reached = await connectOrLock({ lifetime: new Lifetime() }, { connect, lock, waitMs: -1 })
  expect(reached).toEqual({ kind: "silent", pid: process.pid })
})

it("takes no lock where it must not", async () => {
  const lock = newLock()
  const connect = (): Promise<undefined> => Promise.resolve(undefined)
  const beforeLock = (): void => {
    throw new Error("no profile")
  }
  const reached = connectOrLock(
    { lifetime: new Lifetime() },
    { connect, lock, waitMs: FOR_EVER_MS, beforeLock },
  )
  await expect(reached).rejects.toThrow("no profile")
  expect(lockHolder(lock)).toBeUndefined()
})
