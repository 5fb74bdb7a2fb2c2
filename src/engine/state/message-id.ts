import { utf8 } from "../../crypto/bytes.ts"
import { hash } from "../../crypto/nacl.ts"
import { MID_BYTES } from "../../wire/sizes.ts"

const LABEL = utf8("mqttchat/1 mid")
/** Every session message starts with its tag (16) and synthetic nonce (24). */
const NAMING_BYTES = 40

/** The mid (16 bytes) of a session message, which both sides compute from its first 40 bytes. */
export function messageId(wire: Uint8Array): Uint8Array {
  return hash(LABEL, wire.subarray(0, NAMING_BYTES)).slice(0, MID_BYTES)
}
