import { copyFileSync } from "node:fs"

import type { Person } from "../chat/people.ts"

/** Copies the disk as it is between two processes. */
export async function copyDisk(person: Person): Promise<void> {
  await person.die()
  copyFileSync(person.path, copyOf(person))
  await person.start()
}

/** The disk is as it was when it was copied. */
export async function putBack(person: Person): Promise<void> {
  await person.die()
  copyFileSync(copyOf(person), person.path)
  await person.start()
}

function copyOf({ path }: Person): string {
  return `${path}.copy`
}
