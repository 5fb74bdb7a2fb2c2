import type { Backend } from "./backend.ts"
import { equal, utf8, type PublicKey, type SecretKey, type SigningKey, type VerifyKey } from "./bytes.ts"
import { hashParts } from "./hmac.ts"

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"))
}

/** RFC 7748 section 6.1, the same keys as in "Cryptography in NaCl" section 2. */
const ALICE_SECRET = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a") as SecretKey
const ALICE_PUBLIC = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
const BOB_PUBLIC = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f") as PublicKey
const SHARED = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")

/** The paper's box key and nonce; the message is ours. */
const BOX_KEY = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
const NONCE = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
const MESSAGE = utf8("mqttchat self-test")
const BOX = hex("09f6b0b40e057e0f13e48a1aca1c711d5def102e178181d22df126c0bf3a0ed0696f")

/** RFC 8032 section 7.1, test 2. */
const SEED = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb") as SigningKey
const VERIFY_KEY = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c") as VerifyKey
const SIGNED = hex("72")
const SIGNATURE = hex(
  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
)

/** FIPS 180-4, "abc". */
const ABC_SHA512 = hex(
  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
)

/** HMAC-SHA-512 (RFC 2104) of "abc" under the box key, cut to 32 bytes. */
const ABC_AUTH = hex("4f52b9c80ab918306bed18351a7680db5745003c06c54baf6bf4fbad89747731")

const CHECKS: readonly ((backend: Backend) => boolean)[] = [
  (backend) => same(backend.agree(ALICE_SECRET, BOB_PUBLIC), SHARED),
  (backend) => backend.agree(ALICE_SECRET, new Uint8Array(32) as PublicKey) === undefined,
  (backend) => same(backend.publicKeyOf(ALICE_SECRET), ALICE_PUBLIC),
  (backend) => same(sealed(backend), BOX),
  (backend) => same(opened(backend, BOX_KEY), MESSAGE),
  (backend) => opened(backend, SHARED) === undefined,
  (backend) => same(backend.verifyKeyOf(SEED), VERIFY_KEY),
  (backend) => same(backend.sign(SIGNED, SEED), SIGNATURE),
  (backend) => backend.verify(SIGNED, SIGNATURE, VERIFY_KEY),
  (backend) => !backend.verify(MESSAGE, SIGNATURE, VERIFY_KEY),
  (backend) => same(hashParts(backend.sha512, [utf8("abc")]), ABC_SHA512),
  ({ auth }) => auth === undefined || same(auth(utf8("abc"), BOX_KEY), ABC_AUTH),
]

/** Whether a backend gives the published result of every primitive, and refuses what it must. */
export function passesSelfTest(backend: Backend): boolean {
  return CHECKS.every((check) => {
    try {
      return check(backend)
    } catch {
      return false
    }
  })
}

function sealed(backend: Backend): Uint8Array {
  const box = new Uint8Array(BOX.length)
  backend.seal(box, MESSAGE, NONCE, BOX_KEY)
  return box
}

function opened(backend: Backend, key: Uint8Array): Uint8Array | undefined {
  const message = new Uint8Array(MESSAGE.length)
  return backend.open(message, BOX, NONCE, key) ? message : undefined
}

function same(actual: Uint8Array | undefined, expected: Uint8Array): boolean {
  return actual !== undefined && equal(actual, expected)
}
