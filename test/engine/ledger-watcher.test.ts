import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { LedgerWatcher } from "../../src/engine/connection/ledger-watcher.ts"
import { openCommitQueue } from "../../src/engine/state/commit-queue.ts"
import type { BrokerConfig } from "../../src/engine/state/ports.ts"
import { openStore } from "../../src/store/store.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { FakeBroker } from "./fake-broker.ts"

const [FIRST, SECOND] = [1, 2].map((byte) => new Uint8Array(32).fill(byte) as PublicKey)

test("after a change of broker the new registrar is asked soon, whenever the old one was [R-16]", async ({
  onTestFinished,
}) => {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-ledger-"))
  const store = await openStore(join(folder, "messages.db"), systemRandom(32))
  onTestFinished(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  let registrar = FIRST!
  const waits: number[] = []
  const broker = (): BrokerConfig => ({
    address: { host: "broker.example", port: 8883 },
    trust: { kind: "name" },
    registrar,
  })
  const config = {
    broker,
    credential: () => undefined,
    saveBroker: () => Promise.resolve(),
    saveCredential: () => Promise.resolve(),
    saveHints: () => Promise.resolve(),
    reload: () => undefined,
  }
  const ports = {
    config,
    connect: new FakeBroker().connect,
    requestHead: () => Promise.resolve(),
    after: (ms: number) => {
      waits.push(ms)
      return () => undefined
    },
    now: () => 10 * DAY_MS,
  }
  const watcher = new LedgerWatcher(ports, await openCommitQueue(store, () => Promise.resolve()))
  const link = new Uint8Array(32)
  await watcher.watch.onView(registrar, 0, { number: 1, link, linkAtKnown: link })
  watcher.online()
  expect(waits).toEqual([DAY_MS])
  registrar = SECOND!
  watcher.online()
  expect(waits).toEqual([DAY_MS, 5_000])
})
