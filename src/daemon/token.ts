import { randomBytes } from "node:crypto"

import { Fault } from "../errors.ts"
import { replaceFile } from "../fs/atomic-file.ts"
import { readIfExists } from "../fs/read-file.ts"
import { shellCommand } from "../shell-command.ts"

const TOKEN_BYTES = 32
/** 32 bytes as base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/

/**
 * The token of the file at `path`, made (0600, 32 random bytes) if missing: a process that can read it may use the
 * whole API. Faults of the disk, and `config` when the file holds something else.
 */
export async function readOrCreateToken(path: string): Promise<string> {
  const present = readIfExists(path)
  if (present !== undefined) return tokenIn(present, path)
  const token = randomBytes(TOKEN_BYTES).toString("base64url")
  await replaceFile(path, `${token}\n`)
  return token
}

function tokenIn(bytes: Buffer, path: string): string {
  const token = bytes.toString("latin1").trimEnd()
  if (TOKEN.test(token)) return token
  throw new Fault(
    "config",
    `${path} holds no token`,
    `${shellCommand`rm ${path}`}, then start the daemon again`,
  )
}
