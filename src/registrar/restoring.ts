import { toBase64url } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import type { RegistrationRefusal, RegistrationRequest } from "../wire/registration.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { readRequest } from "./authority.ts"
import { certify, granted, isRevoked, refuse, shutOut, type Decision, type Office } from "./granting.ts"
import type { Device, Roll } from "./roll.ts"

/** A certificate is good from a day before it is made, so no clock that is further off gets anywhere. */
const CLOCKS_DIFFER_MS = 24 * 3600 * 1000
/** A laptop is lost once in years; more than some tries are a program that has gone wrong. */
const RESTORES_PER_DAY = 8

type Restore = Extract<RegistrationRequest, { kind: "restore" }>

/** An identity that was a device here comes back on another machine: a new device takes the place of the old one. */
export async function restore(
  office: Office,
  roll: Roll,
  request: Restore,
  requestHash: Uint8Array,
): Promise<Decision> {
  const sign = toBase64url(request.sign)
  const theirs = [...roll.devices.values()].filter((device) => device.sign === sign)
  const latest = theirs.at(-1)
  if (latest === undefined) return refuse("not-a-member")
  if (isRevoked(roll, latest.user)) return refuse("revoked")
  const hash = toBase64url(requestHash)
  const earlier = theirs.find((device) => device.requestHash === hash)
  if (earlier !== undefined) return earlier.revokedAt === undefined ? granted(earlier) : shutOut(earlier)
  const refusal = whyNot(office, theirs, latest, request.askedAt)
  if (refusal !== undefined) return refuse(refusal)
  const spki = await readRequest(request.csr)
  if (spki === undefined) return refuse("bad-request")
  const device = toBase64url(office.random(ID_BYTES))
  const { user, device: replaces } = latest
  const restored = {
    ...{ at: office.now(), user, device, replaces, sign },
    spkiHash: toBase64url(hash32(spki)),
    requestHash: hash,
    askedAt: request.askedAt,
    deviceName: request.deviceName,
    certificate: await certify(office, device, spki),
  }
  return granted(restored, { kind: "restored", ...restored })
}

/** A request that the broker held back must not undo what happened since: it is too old, or older than the last one. */
function whyNot(
  office: Office,
  theirs: readonly Device[],
  latest: Device,
  askedAt: number,
): RegistrationRefusal | undefined {
  const now = office.now()
  if (latest.revokedAt !== undefined) return "revoked"
  if (Math.abs(now - askedAt) > CLOCKS_DIFFER_MS || askedAt <= latest.askedAt) return "out-of-time"
  const recent = theirs.filter((device) => device.askedAt > 0 && now - device.since < CLOCKS_DIFFER_MS)
  return recent.length >= RESTORES_PER_DAY ? "too-many" : undefined
}
