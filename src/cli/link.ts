import type { ChatClient, Link, Results } from "../chat/api.ts"
import { Fault } from "../errors.ts"
import type { ProfilePaths } from "../paths.ts"
import { readSettings } from "../settings.ts"
import type { Context } from "./context.ts"

/** The first connection includes a certificate from the registrar; one that takes longer is told as it is. */
const LINK_WAIT_MS = 10_000

/** The status once the first try to connect is over. */
export async function settledStatus(client: ChatClient): Promise<Results["status"]> {
  return new Promise((resolve, reject) => {
    const look = (): void => void client.call("status", {}).then(judge, reject)
    const late = setTimeout(() => void client.call("status", {}).then(finish, reject), LINK_WAIT_MS)
    const stop = client.listen(({ event }) => (event === "link" ? look() : undefined))
    const finish = (status: Results["status"]): void => {
      clearTimeout(late)
      stop()
      resolve(status)
    }
    const judge = (status: Results["status"]): void => {
      if (status.link.kind !== "connecting") finish(status)
    }
    look()
  })
}

const CODE = { none: "config", connecting: "unavailable" } as const

/** The link, once it is up and what the broker kept has come, or once it is known to be down. */
export async function caughtUp(client: ChatClient): Promise<Link> {
  await settledStatus(client)
  await client.call("catch-up", {})
  const { link } = await client.call("status", {})
  return link
}

/** Resolves once the link to the broker is up. Faults `unavailable` and `config`. */
export async function untilOnline({ paths }: Context, client: ChatClient): Promise<void> {
  const { link } = await settledStatus(client)
  if (link.kind === "online") return
  throw new Fault("code" in link ? link.code : CODE[link.kind], link.why, wayOnline(paths, link))
}

/** What helps against a link that is down, as far as anything does. */
export function wayOnline(paths: ProfilePaths, link: Exclude<Link, { kind: "online" }>): string | undefined {
  if (link.kind === "stopped") return link.hint
  if (readSettings(paths.settings)?.here === true) return "mqttchat broker"
  return link.kind === "none"
    ? "mqttchat pair CODE@HOST, with a code from somebody who has a broker"
    : link.hint
}
