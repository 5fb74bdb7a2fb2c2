import type { Authority } from "../../src/broker/certificates.ts"
import { brokerKeys } from "../../src/cli/broker/keys.ts"
import type { Context } from "../../src/cli/terminal/context.ts"
import { profilePaths } from "../../src/paths.ts"
import type { User } from "./scenario-fixture.ts"

/** A connection that was closed is tried again within a second. */
const POLLS_MAX = 400

/** Makes the authority of this user's profile, which the registrar started later finds there. */
export async function authorityOf({ home }: User): Promise<Authority> {
  const paths = profilePaths({ MQTTCHAT_HOME: home }, "default")
  const { authority } = await brokerKeys({ paths, env: {}, passphrase: {} } as Context)
  return authority
}

/** The invitation that the operator passes on. */
export async function invitationFor(
  operator: User,
  name: string,
  ...more: readonly string[]
): Promise<string> {
  const [output] = await operator.runJson("broker", "invite", name, "--no-qr", ...more)
  return String(output?.["invitation"])
}

export async function register(user: User, invitation: string): Promise<void> {
  await user.runJson("register", invitation, "--name", user.name, "--no-passphrase")
}

/** The device id that `broker devices` gives for a user. */
export async function deviceOf(operator: User, user: string): Promise<string> {
  const output = await operator.runJson("broker", "devices")
  return String(output.find((device) => device["user"] === user)?.["device"])
}

type Connection = { readonly kind: string; readonly reason: string }

/** The broker's final answer to a device that was just revoked, or tries to come back. */
export async function refusalOf(user: User): Promise<string> {
  for (let asked = 0; asked < POLLS_MAX; asked++) {
    const { kind, reason } = (await user.status())["connection"] as Connection
    if (kind === "stopped") return reason
  }
  throw new Error(`${user.name} was not turned away`)
}
