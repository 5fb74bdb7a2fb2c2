import type { Context } from "../terminal/context.ts"

/**
 * For crash tests: this process kills itself, as `kill -9` would, at the point that MQTTCHAT_DIE_AT names.
 * Any other value does nothing.
 */
export function failpointOf(env: Context["env"]): (point: string) => void {
  const crashPoint = env["MQTTCHAT_DIE_AT"]
  return (point) => {
    if (point === crashPoint) process.kill(process.pid, "SIGKILL")
  }
}
