import { displayName } from "../wire/text.ts"

const NAMELESS = "nobody"

/** What of a user its name depends on. */
type Named = { readonly name: string; readonly revokedAt: number | undefined }

/** The name itself, or with a number behind it where another user has it. What a stranger sent is cleaned before. */
export function uniqueName(users: Iterable<Named>, wanted: string): string {
  const taken = new Set([...users].filter(isActive).map(({ name }) => name))
  const clean = displayName(wanted).trim() || NAMELESS
  let name = clean
  for (let number = 2; taken.has(name); number += 1) name = `${clean}-${number}`
  return name
}

/** Of a user or a device; the name of a user who was revoked is free again. */
export function isActive({ revokedAt }: Pick<Named, "revokedAt">): boolean {
  return revokedAt === undefined
}
