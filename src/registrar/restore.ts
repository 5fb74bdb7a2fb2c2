import { toBase64url } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { DAY_MS } from "../time-units.ts"
import type { RegistrationRefusal, RegistrationRequest } from "../wire/registration.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { readCsr } from "./authority.ts"
import {
  issueCertificate,
  grant,
  isRevoked,
  refuse,
  repeatedGrant,
  type Decision,
  type RegistrarContext,
} from "./issue.ts"
import type { Device, RegistryState } from "./registry-state.ts"

/** A certificate is good from a day before it is made, so no clock that is further off gets anywhere. */
const CLOCK_SKEW_MAX_MS = DAY_MS
/** A laptop is lost once in years; more than some tries are a program that has gone wrong. */
const RESTORES_PER_DAY = 8

type Restore = Extract<RegistrationRequest, { kind: "restore" }>

/** An identity that was a device here comes back on another machine: a new device takes the place of the old one. */
export async function restore(
  context: RegistrarContext,
  state: RegistryState,
  request: Restore,
  requestHash: Uint8Array,
): Promise<Decision> {
  const sign = toBase64url(request.sign)
  const devices = [...state.devices.values()].filter((device) => device.sign === sign)
  const latest = devices.at(-1)
  if (latest === undefined) return refuse("not-a-member")
  if (isRevoked(state, latest.user)) return refuse("revoked")
  const repeated = repeatedGrant(state, requestHash)
  if (repeated !== undefined) return repeated
  const refusal = refusalFor(context, devices, latest, request.askedAt)
  if (refusal !== undefined) return refuse(refusal)
  const spki = await readCsr(request.csr)
  if (spki === undefined) return refuse("bad-request")
  const device = toBase64url(context.random(ID_BYTES))
  const { user, device: replaces } = latest
  const restored = {
    ...{ at: context.now(), user, device, replaces, sign },
    spkiHash: toBase64url(hash32(spki)),
    requestHash: toBase64url(requestHash),
    askedAt: request.askedAt,
    deviceName: request.deviceName,
    certificate: await issueCertificate(context, device, spki),
  }
  return grant(restored, { kind: "restored", ...restored })
}

/** A request that the broker held back must not undo what happened since: it is too old, or older than the last one. */
function refusalFor(
  context: RegistrarContext,
  devices: readonly Device[],
  latest: Device,
  askedAt: number,
): RegistrationRefusal | undefined {
  const now = context.now()
  if (latest.revokedAt !== undefined) return "revoked"
  if (Math.abs(now - askedAt) > CLOCK_SKEW_MAX_MS || askedAt <= latest.askedAt) return "out-of-time"
  const recent = devices.filter(
    (device) => device.askedAt > 0 && Math.abs(now - device.since) < CLOCK_SKEW_MAX_MS,
  )
  return recent.length >= RESTORES_PER_DAY ? "too-many" : undefined
}
