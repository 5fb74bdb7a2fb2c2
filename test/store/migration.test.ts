import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { freshPath } from "./store-fixture.ts"

const OF_VERSION_1 = join(import.meta.dirname, "../vectors/store-version-1.db")
const key = new Uint8Array(32).fill(7)

test("a store of the first version opens with all that it held, and again after that", async () => {
  const path = freshPath()
  copyFileSync(OF_VERSION_1, path)
  for (let time = 0; time < 2; time++) {
    const store = await openStore(path, new Uint8Array(key))
    const { contacts, outgoing, settings, held } = await store.load()
    expect(contacts).toMatchObject([{ name: "Bob", verified: true, timer: 0, movedAt: 0, changedAt: 0 }])
    expect(outgoing).toMatchObject([
      { seq: 3, kind: "text", attempts: 2, carries: { mid: new Uint8Array(16).fill(11), number: -1 } },
      { seq: 4, kind: "passing", carries: undefined },
    ])
    expect([...settings.keys(), ...held]).toEqual(["clock"])
    expect(await store.history(1, 10)).toMatchObject([
      { seq: 1, kind: "text", text: "did you get the letter", mine: true, state: "broker" },
      { seq: 2, kind: "text", text: "which letter", mine: false, shown: false },
    ])
    expect((await store.search("letter", 10)).map(({ seq }) => seq)).toEqual([2, 1])
    expect(await store.isWhole()).toBe(true)
    await store.close()
  }
})
