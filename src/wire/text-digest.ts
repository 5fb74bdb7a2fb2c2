import { utf8 } from "../crypto/bytes.ts"
import { hash } from "../crypto/nacl.ts"
import { encodeBody, type Frame } from "./frame.ts"
import { DIGEST_BYTES } from "./sizes.ts"

const LABEL = utf8("mqttchat/1 text")

/** What tells a text from any other under the same id [W-52]. */
export function textDigest(text: Omit<Extract<Frame, { kind: "text" }>, "kind">): Uint8Array {
  return hash(LABEL, ...(encodeBody({ kind: "text", ...text }) ?? [])).slice(0, DIGEST_BYTES)
}
