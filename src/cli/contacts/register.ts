import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { wholeSettings } from "../../settings.ts"
import type { BrokerProof } from "../../wire/access.ts"
import { parseCode } from "../../pairing/code.ts"
import { display, safe } from "../../wire/text.ts"
import { formatInvitationLink } from "../../wire/invitation-link.ts"
import type { Context } from "../terminal/context.ts"
import { hasProfile } from "../profile/profile-exists.ts"
import { readInvitation, readInvitationText } from "../profile/invitation.ts"
import { pairOrJoin } from "./pair-or-join.ts"
import { openClient } from "../profile/open-client.ts"

export type RegisterOptions = {
  readonly name?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
  readonly insecureTransport?: boolean
  /** In milliseconds. */
  readonly timeout?: number
}

function timeoutOf({ timeout }: RegisterOptions): Pick<RegisterOptions, "timeout"> {
  return timeout === undefined ? {} : { timeout }
}

function isOurBroker({ paths }: Context, proof: BrokerProof): boolean {
  const trust = wholeSettings(paths.settings)?.broker?.trust
  return trust?.kind === "pin" && proof.kind === "pin" && trust.pin === toHex(proof.pin)
}

/**
 * Registers this laptop at a broker, with an invitation from its operator or a code from another device of the same
 * user. Makes a profile first if there is none.
 */
export async function register(context: Context, typed: string, options: RegisterOptions): Promise<void> {
  const text = await readInvitationText(typed)
  const line = readInvitation(text, ({ proof }) => isOurBroker(context, proof))
  if (line === undefined && parseCode(text).kind === "code") {
    const { name: myName, passphrase, insecureTransport = false } = options
    const pairOptions = {
      words: 2,
      qr: false,
      passphrase,
      insecureTransport,
      ...timeoutOf(options),
      ...(myName === undefined ? {} : { myName }),
    } as const
    await pairOrJoin(context, text.trim(), pairOptions)
    return
  }
  if (line === undefined) {
    throw new Fault("usage", "this is not an invitation to a broker", "mqttchat register 'INVITATION'")
  }
  if (options.insecureTransport === true) {
    const why = "an invitation leads to a certificate, which needs a broker with TLS"
    throw new Fault("usage", why, "mqttchat register 'INVITATION', without --insecure-transport")
  }
  if (!hasProfile(context)) await (await import("../profile/init.ts")).initForPairing(context, options)
  const { client } = await openClient(context, "brief")
  const invitation = formatInvitationLink(line)
  const { timeout: timeoutMs } = options
  const registered = await client.call("register", {
    invitation,
    ...(timeoutMs !== undefined && { timeoutMs }),
  })
  const { out } = context
  if (out.json) out.report.record("mqttchat/registered/1", registered)
  else if (registered.invitationUsed) out.done(safe`registered at ${display(registered.broker)}`)
  else
    out.done(
      safe`your broker is now at ${display(registered.broker)}; the invitation was not needed and is unused`,
    )
  out.next(safe`next: mqttchat pair, or: mqttchat pair CODE`)
}
