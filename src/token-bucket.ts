/** So many at once, and as many again within `refillMs`, evenly. */
export type Rate = { readonly capacity: number; readonly refillMs: number }
/** What was left at a time; less than nothing is a debt. */
export type Bucket = { readonly tokens: number; readonly at: number }

/** What is there at `now`. No bucket yet is a full one. A clock that went back refills nothing. */
export function refilled({ capacity, refillMs }: Rate, before: Bucket | undefined, now: number): Bucket {
  const { tokens, at } = before ?? { tokens: capacity, at: now }
  return { tokens: Math.min(capacity, tokens + (Math.max(0, now - at) * capacity) / refillMs), at: now }
}

/** One token, if there is one. */
export function takeToken(
  rate: Rate,
  before: Bucket | undefined,
  now: number,
): { readonly allowed: boolean; readonly bucket: Bucket } {
  const { tokens } = refilled(rate, before, now)
  const allowed = tokens >= 1
  return { allowed, bucket: { tokens: allowed ? tokens - 1 : tokens, at: now } }
}

/** Milliseconds until there is a token again; 0 if there is one. */
export function untilToken({ capacity, refillMs }: Rate, { tokens }: Bucket): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * refillMs) / capacity)
}
