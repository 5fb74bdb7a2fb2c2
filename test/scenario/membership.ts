import type { Authority } from "../../src/broker/certificates.ts"
import { brokerKeys } from "../../src/cli/broker/keys.ts"
import type { Context } from "../../src/cli/context.ts"
import { profilePaths } from "../../src/paths.ts"
import type { Person } from "./people.ts"

/** A connection that was cut is tried again within a second. */
const LOOKS_MAX = 400

/** The authority of this person's profile, made now and found there by the registrar that starts later. */
export async function authorityOf({ home }: Person): Promise<Authority> {
  const paths = profilePaths({ MQTTCHAT_HOME: home }, "default")
  const { authority } = await brokerKeys({ paths, env: {}, passphrase: {} } as Context)
  return authority
}

/** What the operator passes on. */
export async function invitationFor(
  operator: Person,
  name: string,
  ...more: readonly string[]
): Promise<string> {
  const [said] = await operator.tell("broker", "invite", name, "--no-qr", ...more)
  return String(said?.["invitation"])
}

export async function register(person: Person, invitation: string): Promise<void> {
  await person.tell("register", invitation, "--name", person.name, "--no-passphrase")
}

/** The device id that `broker devices` gives for a user. */
export async function deviceOf(operator: Person, user: string): Promise<string> {
  const said = await operator.tell("broker", "devices")
  return String(said.find((device) => device["user"] === user)?.["device"])
}

type Link = { readonly kind: string; readonly why: string }

/** What the broker says for good to somebody who was just cut off, or tries to come back. */
export async function refusalOf(person: Person): Promise<string> {
  for (let asked = 0; asked < LOOKS_MAX; asked++) {
    const [status] = await person.tell("status")
    const { kind, why } = status?.["link"] as Link
    if (kind === "stopped") return why
  }
  throw new Error(`${person.name} was not turned away`)
}
