/**
 * Takes the lock repeatedly and proves each time that no other process has it, by a file that only one can make. Every
 * second time it leaves the lock as a process that died then would: LOCK OVEN ROUNDS [die].
 */
import { randomBytes } from "node:crypto"
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { takeLock } from "../../src/fs/lock-file.ts"

const [path = "", witness = "", rounds = "0", end = ""] = process.argv.slice(2)

/** No process has this id (pid_max is at most 2^22). */
const DEAD_PID = 99_999_999

function leaveAsDead(): void {
  const nonce = randomBytes(16).toString("hex")
  writeFileSync(`${path}.${nonce}.tmp`, `${DEAD_PID}\n\n${nonce}\n`)
  renameSync(`${path}.${nonce}.tmp`, path)
}

for (let taken = 0; taken < Number(rounds);) {
  const lock = takeLock(path)
  if (lock.kind === "held") continue
  closeSync(openSync(witness, "wx"))
  rmSync(witness)
  if (taken++ % 2 === 0) leaveAsDead()
  else lock.release()
}
const last = takeLock(path)
if (last.kind === "taken" && end === "die") process.kill(process.pid, "SIGKILL")
if (last.kind === "taken") last.release()
