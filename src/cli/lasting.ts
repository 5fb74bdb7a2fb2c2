import type { ChatClient, Event } from "../chat/api.ts"
import type { Context } from "./context.ts"
import { openClient } from "./open.ts"

/**
 * A client for a command that stays: when another process held the profile and ends, this one takes its place. Who
 * listens hears of it as a change of the link, and asks again for what it may have missed.
 */
export async function openLasting(context: Context): Promise<ChatClient> {
  const listeners = new Set<(event: Event) => void>()
  const tell = (event: Event): void => {
    for (const listener of listeners) listener(event)
  }
  let closed = false
  let current = follow(await openClient(context, "shared"))

  function follow(opened: Awaited<ReturnType<typeof openClient>>): Promise<ChatClient> {
    const { client, owner } = opened
    client.listen((event) => {
      if (closed) return
      if (owner === "another" && event.event === "link" && event.link.kind === "stopped") {
        current = current
          .then(() => client.call("status", {}))
          .then(
            () => client,
            () => succeed(),
          )
      }
      tell(event)
    })
    return Promise.resolve(client)
  }

  async function succeed(): Promise<ChatClient> {
    const client = await follow(await openClient(context, "shared"))
    const { link } = await client.call("status", {})
    tell({ event: "link", link })
    return client
  }

  const close = (): Promise<void> => {
    closed = true
    return Promise.resolve()
  }
  context.lifetime.defer(close)
  return {
    call: async (command, params) => (await current).call(command, params),
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    close,
  }
}
