import { toBase64url } from "../crypto/bytes.ts"
import type { PublicKey, Random } from "../crypto/bytes.ts"
import { DAY_MS } from "../time-units.ts"
import type { RegistrationAnswer, RegistrationRefusal } from "../wire/registration.ts"
import { DEVICE_DAYS, type Authority } from "./authority.ts"
import type { Device, Entry, RegistryState } from "./registry-state.ts"

/** What the registrar decides with; nothing here is a connection or a file. */
export type RegistrarContext = Signer & {
  readonly authority: Authority
  /** 32 bytes that only this registrar can make, the same for the same request. */
  readonly seedOf: (requestHash: Uint8Array) => Uint8Array
}

/** What it takes to make an invitation. */
export type Signer = {
  readonly publicKey: PublicKey
  readonly random: Random
  /** Unix ms. */
  readonly now: () => number
}

/** What to write before the answer leaves, and the answer. */
export type Decision = { readonly entry: Entry | undefined; readonly answer: RegistrationAnswer }

export function grant({ user, certificate }: Pick<Device, "user" | "certificate">, entry?: Entry): Decision {
  return {
    entry,
    answer: { kind: "admitted", user: bytesOf(user), certificate: bytesOf(certificate) },
  }
}

export function refuse(why: RegistrationRefusal): Decision {
  return { entry: undefined, answer: { kind: "refused", why } }
}

/** To a device that was revoked; one that was replaced learns so, and since when. */
export function refuseRevoked({ revokedAt, replacedBy }: Device): Decision {
  if (revokedAt === undefined || replacedBy === undefined) return refuse("revoked")
  return { entry: undefined, answer: { kind: "replaced", at: revokedAt } }
}

/**
 * The answer to bytes that were granted before, as the ledger is now; undefined for new ones, and for those that an
 * earlier authority was asked with.
 */
export function repeatedGrant(state: RegistryState, requestHash: Uint8Array): Decision | undefined {
  const issued = state.issued.get(toBase64url(requestHash))
  const device = issued && state.devices.get(issued.device)
  if (issued === undefined || device === undefined) return undefined
  if (device.revokedAt !== undefined) return refuseRevoked(device)
  return issued.authority === state.authority ? grant(issued) : undefined
}

/** A certificate for this device id and key, as the ledger keeps it. */
export async function issueCertificate(
  context: RegistrarContext,
  device: string,
  spki: Uint8Array,
): Promise<string> {
  const now = context.now()
  return toBase64url(await context.authority.issue(device, spki, now, now + DEVICE_DAYS * DAY_MS))
}

export function isRevoked(state: RegistryState, user: string): boolean {
  return state.users.get(user)?.revokedAt !== undefined
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"))
}
