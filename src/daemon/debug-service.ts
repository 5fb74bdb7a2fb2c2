import { type Debug, NO_DEBUG } from "../debug/debug.ts"
import { methodIn } from "../debug/fields.ts"
import { Fault } from "../errors.ts"
import type { Service } from "./connection.ts"

/** The same service, with debug lines for requests: the method and how it ended, never the content. */
export function debugService(service: Service, debug: Debug): Service {
  if (debug === NO_DEBUG) return service
  const { commands, call, listen } = service
  return {
    commands,
    call: async (asked, params) => {
      const method = methodIn(commands, asked)
      const startedAt = performance.now()
      const ms = (): number => Math.round(performance.now() - startedAt)
      debug("daemon", "request", { method })
      try {
        const result = await call(asked, params)
        debug("daemon", "answer", { method, ms: ms() })
        return result
      } catch (cause) {
        debug("daemon", "answer", { method, ms: ms(), code: cause instanceof Fault ? cause.code : "bug" })
        throw cause
      }
    },
    listen: (onEvent) => {
      debug("daemon", "listen", {})
      const end = listen(onEvent)
      return () => {
        debug("daemon", "listen-end", {})
        end()
      }
    },
  }
}
