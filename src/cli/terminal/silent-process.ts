import { Fault } from "../../errors.ts"
import { lockHolder } from "../../fs/lock-file.ts"
import { argumentsOf, isStopped } from "../../fs/process-info.ts"
import { COMMAND_NAMES } from "./command-names.ts"
import { shellCommand } from "../../shell-command.ts"

/** The process that has the profile does not answer at its socket. */
export function silentOwner(paths: { readonly lock: string }): () => Fault {
  return () => silentHolder("the mqttchat that has this profile open", paths.lock)
}

/** The same for the running broker or registrar. */
export function silentBroker(paths: { readonly brokerLock: string }): () => Fault {
  return () => silentHolder("the broker that is running here", paths.brokerLock)
}

function silentHolder(what: string, lock: string): Fault {
  const pid = lockHolder(lock)
  if (pid !== undefined) return silentProcess(what, pid)
  return new Fault("unavailable", `${what} does not answer`, "try again")
}

/** Names the process and says how it goes on, or how to end it. */
export function silentProcess(what: string, pid: number): Fault {
  const name = `${what} (process ${pid}${commandOf(pid)})`
  if (!isStopped(pid)) return new Fault("unavailable", `${name} does not answer`, shellCommand`kill ${pid}`)
  const message = `${name} is stopped (by Ctrl+Z or a debugger; fg lets it go on)`
  return new Fault("unavailable", message, shellCommand`kill -CONT ${pid}`)
}

/** Only the command's own word: what follows it may be a message. */
function commandOf(pid: number): string {
  const command = argumentsOf(pid).find((word) => COMMAND_NAMES.some((name) => name === word))
  return command === undefined ? "" : `, mqttchat ${command}`
}
