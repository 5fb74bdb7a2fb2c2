import { copyFileSync } from "node:fs"

import type { TestProfile } from "../engine/engine-fixture.ts"

/** Copies the disk as it is between two processes. */
export async function copyDisk(profile: TestProfile): Promise<void> {
  await profile.crash()
  copyFileSync(profile.path, copyOf(profile))
  await profile.start()
}

/** Puts the disk back as it was when it was copied. */
export async function rollBackDisk(profile: TestProfile): Promise<void> {
  await profile.crash()
  copyFileSync(copyOf(profile), profile.path)
  await profile.start()
}

function copyOf({ path }: TestProfile): string {
  return `${path}.copy`
}
