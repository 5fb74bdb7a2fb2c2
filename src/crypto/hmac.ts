const BLOCK_BYTES = 128
const DIGEST_BYTES = 64
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c
/** Room for a padded key and all but the largest messages, so that the common case allocates nothing. */
const SCRATCH_BYTES = 4096

type Compute = (message: Uint8Array) => Uint8Array

// The two work areas are filled with zero before anything returns: they have held keys and plain text.
const inner = new Uint8Array(SCRATCH_BYTES)
const outer = new Uint8Array(BLOCK_BYTES + DIGEST_BYTES)

/** What `compute` makes of the parts as one. */
export function overAll(compute: Compute, parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  return parts.length === 1 && first !== undefined ? compute(first) : joined(compute, 0, parts)
}

/**
 * HMAC (RFC 2104) as two calls of one-shot SHA-512: twice as fast as a keyed object for messages of this size,
 * and one implementation for all backends.
 */
export function hmacSha512(sha512: Compute, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const short = key.length > BLOCK_BYTES ? sha512(key) : key
  pad(inner, short, INNER_PAD)
  const digest = joined(sha512, BLOCK_BYTES, parts)
  pad(outer, short, OUTER_PAD)
  outer.set(digest, BLOCK_BYTES)
  const mac = sha512(outer)
  outer.fill(0)
  return mac
}

function pad(block: Uint8Array, key: Uint8Array, value: number): void {
  block.fill(value, 0, BLOCK_BYTES)
  for (let index = 0; index < key.length; index++) block[index] = (key[index] ?? 0) ^ value
}

/** What `compute` makes of the first `prefix` bytes of `inner` and the parts. */
function joined(compute: Compute, prefix: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = prefix
  for (const part of parts) length += part.length
  const work = length <= SCRATCH_BYTES ? inner : new Uint8Array(length)
  if (work !== inner) work.set(inner.subarray(0, prefix))
  let offset = prefix
  for (const part of parts) {
    work.set(part, offset)
    offset += part.length
  }
  const result = compute(work.subarray(0, length))
  work.fill(0, 0, length)
  inner.fill(0, 0, prefix)
  return result
}
