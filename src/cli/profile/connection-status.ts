import type { ChatClient, ConnectionStatus, Results } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import type { ProfilePaths } from "../../paths.ts"
import { wholeSettings } from "../../settings.ts"
import type { Context } from "../terminal/context.ts"

/** The first connection includes a certificate from the registrar; after this, the status is shown as it is. */
const CONNECT_WAIT_MS = 10_000

/** The status once the first try to connect is over. */
export async function settledStatus(
  client: ChatClient,
  waitMs: number = CONNECT_WAIT_MS,
): Promise<Results["status"]> {
  return new Promise((resolve, reject) => {
    const refresh = (): void => void client.call("status", {}).then(check, fail)
    const timeout = setTimeout(() => void client.call("status", {}).then(finish, fail), waitMs)
    const stop = client.listen(({ kind }) => (kind === "connection" ? refresh() : undefined))
    const end = (): void => {
      clearTimeout(timeout)
      stop()
    }
    const finish = (status: Results["status"]): void => {
      end()
      resolve(status)
    }
    const fail = (fault: Fault): void => {
      end()
      reject(fault)
    }
    const check = (status: Results["status"]): void => {
      if (status.connection.kind !== "connecting") finish(status)
    }
    refresh()
  })
}

const CODE = { none: "config", connecting: "unavailable" } as const

/** The connection, once it is up and what the broker kept has arrived, or once it is known to be down. */
export async function waitUntilCaughtUp(client: ChatClient): Promise<ConnectionStatus> {
  await settledStatus(client)
  await client.call("catch-up", {})
  const { connection } = await client.call("status", {})
  return connection
}

/** Resolves once the connection to the broker is up. Faults `unavailable` and `config`. */
export async function waitUntilOnline({ paths }: Context, client: ChatClient): Promise<void> {
  const { connection } = await settledStatus(client)
  if (connection.kind === "online") return
  throw new Fault(
    "code" in connection ? connection.code : CODE[connection.kind],
    connection.reason,
    onlineHint(paths, connection),
  )
}

/** The command that helps when the connection is down, if there is one. */
export function onlineHint(
  paths: ProfilePaths,
  connection: Exclude<ConnectionStatus, { kind: "online" }>,
): string | undefined {
  if (connection.kind === "stopped") return connection.hint
  if (wholeSettings(paths.settings)?.here === true) return "mqttchat broker"
  return connection.kind === "none"
    ? "mqttchat pair CODE@HOST, with a code from someone who has a broker"
    : (connection.hint ?? MOVED)
}

/** A machine that is switched off and one that has moved look the same from here. */
const MOVED = "if the broker has another address now: mqttchat config set broker HOST[:PORT]"
