import { join } from "node:path"
import * as v from "valibot"
import type { BrokerConfig } from "../../engine/state/ports.ts"
import { fromBase64url, toBase64url, toHex, type PublicKey } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { replaceFile } from "../../fs/atomic-file.ts"
import { readIfExists } from "../../fs/read-file.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import type { ProfilePaths } from "../../paths.ts"
import type { BrokerAddress } from "../../transport/transport.ts"
import type { TlsProof } from "../../wire/access.ts"
import { shellCommand } from "../../shell-command.ts"
import { removeFile } from "./erase.ts"

/**
 * What the broker of this laptop writes for the profile on it, so that neither opens the other's keys: where it
 * listens, how it proves itself, and once an invitation.
 */
const addressFields = {
  host: v.string(),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
}

const BrokerDescriptorSchema = v.strictObject({
  ...addressFields,
  others: v.exactOptional(v.array(v.strictObject(addressFields))),
  guests: v.exactOptional(v.strictObject(addressFields)),
  listen: v.exactOptional(v.string()),
  byName: v.exactOptional(v.literal(true)),
  pin: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  registrar: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
})

export type BrokerDescriptor = {
  readonly address: BrokerAddress
  /** Its other nodes, and where guests connect, if the broker has such. */
  readonly others?: readonly BrokerAddress[]
  readonly guests?: BrokerAddress
  /** Where the embedded broker listens, not always the address to reach it at; none for an external broker. */
  readonly listen?: string
  /** The broker has a publicly trusted certificate: its name is checked and not the pin. */
  readonly byName?: true
  /** Of the authority that signs the devices' certificates. */
  readonly pin: Uint8Array
  readonly registrar: PublicKey
}

export async function writeBrokerDescriptor(
  paths: ProfilePaths,
  descriptor: BrokerDescriptor,
): Promise<void> {
  const { address, pin, registrar, ...rest } = descriptor
  const text = JSON.stringify({ ...address, ...rest, pin: toHex(pin), registrar: toBase64url(registrar) })
  await replaceFile(descriptorFile(paths), `${text}\n`)
}

/** Undefined if no broker has run yet. Fault `config` for a file that is not ours. */
export function readBrokerDescriptor(paths: ProfilePaths): BrokerDescriptor | undefined {
  const text = readIfExists(descriptorFile(paths))?.toString("utf8")
  if (text === undefined) return undefined
  const checked = v.safeParse(BrokerDescriptorSchema, parsed(text))
  const registrar = checked.success ? fromBase64url(checked.output.registrar) : undefined
  if (!checked.success || registrar === undefined) {
    throw new Fault(
      "config",
      `${descriptorFile(paths)} is damaged`,
      `${shellCommand`rm ${descriptorFile(paths)}`}, then: mqttchat broker`,
    )
  }
  const { host, port, pin, ...rest } = checked.output
  const address = { host, port }
  return { ...rest, address, pin: Buffer.from(pin, "hex"), registrar: registrar as PublicKey }
}

/** The embedded broker speaks MQTT 3.1.1. */
export function brokerConfigOf(descriptor: BrokerDescriptor): BrokerConfig {
  const { address, others, guests, listen, registrar } = descriptor
  return {
    address,
    ...(others === undefined ? {} : { others }),
    ...(guests === undefined ? {} : { guests }),
    trust: proofOf(descriptor),
    registrar,
    ...(listen === undefined ? {} : { mqttVersion: 4 }),
  }
}

/** How the broker proves itself to its clients. */
export function proofOf({ byName, pin }: Pick<BrokerDescriptor, "byName" | "pin">): TlsProof {
  return byName === true ? { kind: "name" } : { kind: "pin", pin }
}

/** Writes the operator's invitation, or removes a used one. */
export async function writeOperatorInvitation(
  paths: ProfilePaths,
  invitation: Uint8Array | undefined,
): Promise<void> {
  if (invitation === undefined) removeFile(invitationFile(paths))
  else await replaceFile(invitationFile(paths), invitation)
}

export function readOperatorInvitation(paths: ProfilePaths): StoredCredential | undefined {
  const bytes = readIfExists(invitationFile(paths))
  return bytes === undefined ? undefined : { kind: "invitation", bytes: new Uint8Array(bytes) }
}

export function descriptorFile({ broker }: Pick<ProfilePaths, "broker">): string {
  return join(broker, "address.json")
}

function invitationFile({ broker }: ProfilePaths): string {
  return join(broker, "operator.invitation")
}

/** The value, or undefined for what is not JSON: the schema refuses that too. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
