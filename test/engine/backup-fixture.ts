import { createReadStream } from "node:fs"
import { dirname, join } from "node:path"
import { readRecords } from "../../src/backup/records.ts"
import { fillStore } from "../../src/engine/backup/import.ts"
import { identityOf } from "../../src/keystore/identity.ts"
import { readStream } from "../../src/keystore/sealed-stream.ts"
import type { EngineFixture, TestProfile } from "./engine-fixture.ts"

export const PASSPHRASE = "one file and one passphrase"

let backups = 0

export async function backUp(profile: TestProfile): Promise<string> {
  const path = join(dirname(profile.path), `backup-${backups++}`)
  await profile.client.call("export", { path, passphrase: PASSPHRASE })
  return path
}

/** Another laptop of the user who made the backup. */
export async function restored(fixture: EngineFixture, name: string, path: string): Promise<TestProfile> {
  const sealed = await readStream(createReadStream(path), path)
  const { profile, rest } = await readRecords(sealed.unlock(PASSPHRASE))
  const identity = identityOf(profile.signSecret, profile.boxSecret)
  const laptop = await fixture.profile(name, { identity, name: () => profile.name })
  await fillStore(laptop.store, rest)
  await laptop.stop()
  await laptop.start()
  return laptop
}
