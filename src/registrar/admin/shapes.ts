import * as v from "valibot"

/** A user's name has 64 bytes at most, a device id 22. */
const NAME_MAX = 64

export const empty = v.strictObject({})
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const unixMs = v.pipe(v.number(), v.description("Unix time in ms"))
const revokedAt = v.pipe(v.nullable(unixMs), v.description("null while the registrar lets it in"))
const invitedBy = v.pipe(
  v.nullable(v.string()),
  v.description("name of the member who asked for the invitation; null for the operator"),
)

const numbered = v.pipe(
  v.string(),
  v.description("the name asked for; a number follows it if it looks like another user's"),
)

export const renamed = v.strictObject({ name: numbered })

export const invitation = v.strictObject({
  user: numbered,
  invitation: v.pipe(v.string(), v.description("its 72 bytes as base64url")),
  expiresAt: unixMs,
})

export const user = v.strictObject({
  id: v.pipe(v.string(), v.description("stays the same when the user is renamed")),
  name: v.pipe(v.string(), v.description("empty until the first device of a member's guest has registered")),
  operator: v.boolean(),
  addedAt: unixMs,
  invitedBy,
  devices: v.pipe(count, v.description("devices that are not revoked")),
  revokedAt,
})

export const device = v.strictObject({
  device: v.pipe(v.string(), v.description("its id: 16 bytes as base64url")),
  deviceName: v.string(),
  userId: v.string(),
  user: v.pipe(v.string(), v.description("name of the user it belongs to")),
  addedAt: unixMs,
  expiresAt: v.pipe(unixMs, v.description("end of its certificate, Unix time in ms")),
  current: v.pipe(
    v.boolean(),
    v.description("false when its certificate is of an earlier authority, or revoked"),
  ),
  revokedAt,
  replacedBy: v.pipe(
    v.nullable(v.string()),
    v.description("id of the device that took its place when a backup was imported"),
  ),
})

export const invite = v.strictObject({
  user: v.pipe(v.string(), v.description("name of the user it is for; empty where only they can say it")),
  createdAt: unixMs,
  expiresAt: unixMs,
  invitedBy,
  state: v.picklist(["open", "used", "expired", "withdrawn"]),
})

export const revocation = v.strictObject({
  devices: v.pipe(v.array(v.string()), v.description("ids of the devices that were revoked by this")),
  reason: v.pipe(
    v.nullable(v.string()),
    v.description("why the broker has not applied it yet; it will at the next start of broker or registrar"),
  ),
})

export const inviters = v.strictObject({
  members: v.pipe(v.boolean(), v.description("true when members may invite, not only the operator")),
})

const traffic = v.strictObject({ messages: count, bytes: count, perSecond: v.number() })

export const brokerStatus = v.strictObject({
  connections: v.strictObject({ device: count, guest: count, registrar: count, refused: count }),
  received: traffic,
  sent: traffic,
  refused: v.pipe(count, v.description("connections, messages and subscriptions that were not allowed")),
  filtersRefused: v.pipe(
    count,
    v.description("of those, subscriptions of devices that have as many as the broker keeps"),
  ),
  turnedAway: v.pipe(count, v.description("connections ended before TLS, because there were too many")),
  failedHandshakes: v.pipe(count, v.description("TLS handshakes that failed")),
  queued: v.strictObject({ sessions: count, frames: count, bytes: count, dropped: count }),
  journal: v.strictObject({ bytes: count, rewrites: count }),
  pid: count,
  startedAt: unixMs,
  memoryBytes: count,
  certificateValidFrom: unixMs,
  certificateExpiresAt: unixMs,
  authorityExpiresAt: unixMs,
  deviceExpiresAt: v.pipe(
    v.nullable(unixMs),
    v.description("end of the device certificate that expires next; null without a device"),
  ),
})
