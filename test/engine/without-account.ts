import { openStore } from "../../src/store/store.ts"
import type { TestProfile } from "./engine-fixture.ts"

/** As after a handshake in which the contacts have not shown the links of their accounts. */
export async function withoutAccount(alice: TestProfile): Promise<void> {
  await alice.stop()
  await alice.edit(async (path, key) => {
    const store = await openStore(path, key)
    const until = alice.fixture.clock.now() + 86_400_000
    for (const [device, { shownAccount }] of (await store.load()).deviceParts) {
      if (shownAccount === undefined) continue
      const value = { ...shownAccount, until }
      await store.commit([{ kind: "device-part", device, part: "shownAccount", value }])
    }
    await store.close()
  })
  await alice.start()
}
