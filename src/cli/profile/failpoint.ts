import type { Context } from "../terminal/context.ts"

/** Points where crash tests end an import. */
export const IMPORT_POINTS = ["import-begun", "import-filled", "import-made"] as const
export type ImportFailpoint = (point: (typeof IMPORT_POINTS)[number]) => void

/** True in the bundle for crash tests; what ships is built without fault points (scripts/build.mjs). */
declare const TEST_FAILPOINTS: boolean | undefined

/**
 * For crash tests: this process kills itself, as `kill -9` would, at the point that MQTTCHAT_DIE_AT names.
 * Any other value does nothing.
 */
export function failpointOf(env: Context["env"]): (point: string) => void {
  if (typeof TEST_FAILPOINTS === "undefined") return () => undefined
  const crashPoint = env["MQTTCHAT_DIE_AT"]
  return (point) => {
    if (point === crashPoint) process.kill(process.pid, "SIGKILL")
  }
}
