import { randomBytes } from "node:crypto"
import { readFileSync, renameSync, writeFileSync } from "node:fs"

import { diskFault, Fault } from "../errors.ts"

const TOKEN_BYTES = 32
/** 32 bytes as base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/

/**
 * The token of the file at `path`, made (0600, 32 random bytes) if missing: a process that can read it may use the
 * whole API. Faults of the disk, and `config` when the file holds something else.
 */
export function readOrCreateToken(path: string): string {
  try {
    return read(path)
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT"))
      throw cause instanceof Fault ? cause : diskFault(cause, `read the token ${path}`)
  }
  try {
    const token = randomBytes(TOKEN_BYTES).toString("base64url")
    writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
    return token
  } catch (cause) {
    throw diskFault(cause, `write the token ${path}`)
  }
}

function read(path: string): string {
  const token = readFileSync(path, "latin1").trimEnd()
  if (TOKEN.test(token)) return token
  throw new Fault("config", `${path} holds no token`, `rm ${path}, then start the daemon again`)
}
