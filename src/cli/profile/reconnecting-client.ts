import type { ChatClient, Event } from "../../engine/api.ts"
import type { Context } from "../terminal/context.ts"
import { openClient } from "./open-client.ts"

/**
 * A client for a long-running command: if another process held the profile and ends, this one takes over. Listeners get
 * a connection event and ask again for what they may have missed.
 */
export async function openReconnectingClient(context: Context): Promise<ChatClient> {
  const listeners = new Set<(event: Event) => void>()
  const emit = (event: Event): void => {
    for (const listener of listeners) listener(event)
  }
  let closed = false
  let current = subscribe(await openClient(context, "shared"))

  function subscribe(opened: Awaited<ReturnType<typeof openClient>>): Promise<ChatClient> {
    const { client, owner } = opened
    client.listen((event) => {
      if (closed) return
      if (owner === "another" && event.kind === "connection" && event.connection.kind === "stopped") {
        current = current
          .then(() => client.call("status", {}))
          .then(
            () => client,
            () => reopen(),
          )
      }
      emit(event)
    })
    return Promise.resolve(client)
  }

  async function reopen(): Promise<ChatClient> {
    const client = await subscribe(await openClient(context, "shared"))
    const { connection } = await client.call("status", {})
    emit({ kind: "connection", connection })
    return client
  }

  const close = (): Promise<void> => {
    closed = true
    return Promise.resolve()
  }
  context.lifetime.defer(close)
  return {
    call: async (command, params) => {
      // An owner that did not answer may have gone on, or ended, since the last try.
      current = current.catch(reopen)
      return (await current).call(command, params)
    },
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    close,
  }
}
