/** So many at once, and as many again within `refillMs`, evenly. */
export type Rate = { readonly capacity: number; readonly refillMs: number }
/** What was left at a time. */
export type Bucket = { readonly tokens: number; readonly at: number }

/** One token, if there is one. No bucket yet is a full one. A clock that went back refills nothing. */
export function takeToken(
  { capacity, refillMs }: Rate,
  before: Bucket | undefined,
  now: number,
): { readonly allowed: boolean; readonly bucket: Bucket } {
  const { tokens, at } = before ?? { tokens: capacity, at: now }
  const filled = Math.min(capacity, tokens + (Math.max(0, now - at) * capacity) / refillMs)
  const allowed = filled >= 1
  return { allowed, bucket: { tokens: allowed ? filled - 1 : filled, at: now } }
}
