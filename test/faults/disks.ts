import { copyFileSync } from "node:fs"

import type { Person } from "../chat/people.ts"

/** Copies the disk as it is between two processes. */
export async function copyDisk(profile: Person): Promise<void> {
  await profile.die()
  copyFileSync(profile.path, copyOf(profile))
  await profile.start()
}

/** The disk is as it was when it was copied. */
export async function rollBackDisk(profile: Person): Promise<void> {
  await profile.die()
  copyFileSync(copyOf(profile), profile.path)
  await profile.start()
}

function copyOf({ path }: Person): string {
  return `${path}.copy`
}
