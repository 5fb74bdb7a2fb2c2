import { randomBytes } from "node:crypto"

import { ENCAPSULATION_KEY_BYTES, KEM_CIPHERTEXT_BYTES } from "../../src/crypto/sizes.ts"
import type { Frame, FrameKind } from "../../src/wire/frame.ts"
import { BUNDLE_BYTES } from "../../src/wire/sizes.ts"

const someIds = (count: number, bytes: number) => Array.from({ length: count }, () => randomBytes(bytes))
export const someNumbers = (first: number) => Array.from({ length: 64 }, (_, n) => first + n)
const change = () => ({ author: randomBytes(8), id: randomBytes(8), digest: randomBytes(16), time: 1 })
export const utf8 = (text: string) => new TextEncoder().encode(text)

/** Counts up through all floods: the number of a text or change is used once. */
let number = 0
const numbered = (frame: Frame): Frame[] => [frame, { kind: "number", number: ++number }]
const alone = (frame: Frame): Frame[] => [frame]

/** A message of each kind; a new kind does not compile until it has a line here. */
export const MESSAGES: Readonly<Record<FrameKind, (n: number) => Frame[]>> = {
  nop: () => alone({ kind: "nop" }),
  sig: () => alone({ kind: "sig", signature: randomBytes(64) }),
  hello: () => {
    const key = randomBytes(32)
    const chain = { accountId: key, length: 1, head: key, share: key }
    return alone({ kind: "hello", name: utf8("eve"), recoveryBundle: randomBytes(BUNDLE_BYTES), ...chain })
  },
  open: () => alone({ kind: "open", nonce: randomBytes(32) }),
  chain: () => alone({ kind: "chain", accountId: randomBytes(32), first: 0, links: randomBytes(300) }),
  rejected: () => alone({ kind: "rejected" }),
  "superseded-inits": () => alone({ kind: "superseded-inits", mids: someIds(5, 8) }),
  have: () => alone({ kind: "have", ids: someIds(6, 8) }),
  resend: (n) => numbered({ kind: "resend", id: randomBytes(8), time: n, text: utf8("x") }),
  "chain-ask": () => alone({ kind: "chain-ask", accountId: randomBytes(32), first: 0 }),
  text: (n) => numbered({ kind: "text", id: randomBytes(8), time: n, text: utf8("x") }),
  reply: (n) => [
    { kind: "reply", author: randomBytes(8), id: randomBytes(8), digest: randomBytes(16) },
    ...numbered({ kind: "text", id: randomBytes(8), time: n, text: utf8("x") }),
  ],
  number: () => alone({ kind: "number", number: ++number }),
  ack: () => alone({ kind: "ack", mids: someIds(64, 8) }),
  read: () => alone({ kind: "read", ids: someIds(64, 8) }),
  again: (n) => alone({ kind: "again", numbers: someNumbers(n % 3) }),
  gone: (n) => alone({ kind: "gone", reason: "given-up", numbers: someNumbers(n * 64) }),
  timer: (n) => alone({ kind: "timer", seconds: n % 2, setAt: n }),
  typing: () => alone({ kind: "typing", typing: true }),
  "pq-ek": (n) => alone({ kind: "pq-ek", id: n + 1, encapsulationKey: randomBytes(ENCAPSULATION_KEY_BYTES) }),
  "pq-ct": (n) => alone({ kind: "pq-ct", id: n + 1, ciphertext: randomBytes(KEM_CIPHERTEXT_BYTES) }),
  topic: () => alone({ kind: "topic", mailbox: randomBytes(16) }),
  "topic-ok": () => alone({ kind: "topic-ok", mailbox: randomBytes(16) }),
  "recovery-bundle": () => alone({ kind: "recovery-bundle", bundle: randomBytes(BUNDLE_BYTES) }),
  edit: () => numbered({ kind: "edit", ...change(), text: utf8("y") }),
  delete: () => numbered({ kind: "delete", ...change() }),
  reaction: () => numbered({ kind: "reaction", ...change(), emoji: utf8("👍") }),
  "intro-ask": () => alone({ kind: "intro-ask", account: randomBytes(32), name: utf8("carol") }),
  "intro-yes": () =>
    alone({ kind: "intro-yes", account: randomBytes(32), bundle: randomBytes(BUNDLE_BYTES) }),
  intro: () =>
    alone({
      ...{ kind: "intro", account: randomBytes(32), bundle: randomBytes(BUNDLE_BYTES) },
      name: utf8("carol"),
    }),
  // The last: nothing is sent to her afterwards.
  moved: () => alone({ kind: "moved", at: 1 }),
}
