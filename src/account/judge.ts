import { equal, toHex } from "../crypto/bytes.ts"
import { isVerifyKey } from "../crypto/ed25519.ts"
import { verify } from "../crypto/nacl.ts"
import { DEVICES_MAX } from "../wire/sizes.ts"
import { applied, created, deviceOf, keysOf, without, type AccountChain } from "./account-chain.ts"
import { isBoxKey } from "./box-key.ts"
import { isSignedBySigner, joinMessage, NO_PREVIOUS, type ChainLink, type LinkBody } from "./chain-link.ts"

/** What a reader stores and verifies for one account: at most 68,608 bytes. A device a month fills it in ten years. */
export const LINKS_MAX = 256

export type LinkRefusal =
  | "number"
  | "previous"
  | "signer"
  | "signature"
  | "consent"
  | "weak-key"
  | "key-reused"
  | "unknown-device"
  | "too-many-devices"
  | "too-many-links"
  | "no-device-may-change"

export type LinkJudged =
  | { readonly kind: "good"; readonly chain: AccountChain }
  | { readonly kind: "refused"; readonly why: LinkRefusal }

/** A chain of one create link. */
export function startChain(link: ChainLink): LinkJudged {
  const { body } = link
  if (link.number !== 0 || body.kind !== "create") return { kind: "refused", why: "number" }
  if (!equal(link.previous, NO_PREVIOUS)) return { kind: "refused", why: "previous" }
  if (!equal(link.signer, body.device.sign)) return { kind: "refused", why: "signer" }
  const why = keyRefusal([], body) ?? (isSignedBySigner(link) ? undefined : "signature")
  return why === undefined ? { kind: "good", chain: created(link, body) } : { kind: "refused", why }
}

/** The chain with one more link, or why that link is not good. The chain that was passed in is unchanged. */
export function appendLink(chain: AccountChain, link: ChainLink): LinkJudged {
  const why =
    orderRefusal(chain, link) ??
    signerRefusal(chain, link) ??
    keyRefusal(chain.links, link.body) ??
    bodyRefusal(chain, link) ??
    (isSignedBySigner(link) ? undefined : "signature")
  return why === undefined ? { kind: "good", chain: applied(chain, link) } : { kind: "refused", why }
}

function orderRefusal(chain: AccountChain, link: ChainLink): LinkRefusal | undefined {
  if (link.number !== chain.links.length || link.body.kind === "create") return "number"
  if (link.number >= LINKS_MAX) return "too-many-links"
  return equal(link.previous, chain.head) ? undefined : "previous"
}

/** Who may sign what. */
function signerRefusal(chain: AccountChain, { body, signer }: ChainLink): LinkRefusal | undefined {
  const device = deviceOf(chain, signer)
  const isRecovery = chain.recoveryKey !== undefined && equal(signer, chain.recoveryKey)
  if (body.kind === "remove" && device !== undefined && equal(body.key, signer)) return undefined
  if (body.kind === "recovery-key" && chain.recoveryKey !== undefined && !isRecovery) return "signer"
  return isRecovery || device?.mayChange === true ? undefined : "signer"
}

/** Keys that a link brings in: good ones, and none that stands in the chain or twice in the link. */
function keyRefusal(links: readonly ChainLink[], body: LinkBody): LinkRefusal | undefined {
  const keys = keysOf(body)
  if (!keys.signing.every(isVerifyKey) || !keys.box.every(isBoxKey)) return "weak-key"
  const known = new Set(links.flatMap((link) => namesOf(link.body)))
  const names = namesOf(body)
  const isReused = names.some((name) => known.has(name)) || new Set(names).size < names.length
  return isReused ? "key-reused" : undefined
}

function namesOf(body: LinkBody): readonly string[] {
  const { signing, box } = keysOf(body)
  return [...signing, ...box].map(toHex)
}

function bodyRefusal(chain: AccountChain, link: ChainLink): LinkRefusal | undefined {
  const { body } = link
  if (body.kind === "add") {
    if (chain.devices.length >= DEVICES_MAX) return "too-many-devices"
    const message = joinMessage(chain.accountId, link, body)
    return verify(message, body.consent, body.device.sign) ? undefined : "consent"
  }
  if (body.kind === "remove") {
    if (deviceOf(chain, body.key) === undefined) return "unknown-device"
    const left = without(chain, body.key)
    const canChange = chain.recoveryKey !== undefined || left.some(({ mayChange }) => mayChange)
    return canChange ? undefined : "no-device-may-change"
  }
  return undefined
}
