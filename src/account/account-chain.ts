import { equal, type VerifyKey } from "../crypto/bytes.ts"
import { encodeIdentity, type PublicIdentity } from "../wire/identity.ts"
import type { ChainLink, LinkBody } from "./chain-link.ts"

export type AccountDevice = { readonly identity: PublicIdentity; readonly mayChange: boolean }

/** What the good links of one account say. A value: judging a further link returns the next one. */
export type AccountChain = {
  readonly accountId: Uint8Array
  /** At least the create link. */
  readonly links: readonly ChainLink[]
  readonly head: Uint8Array
  /** The devices that were added and not removed, the oldest first. */
  readonly devices: readonly AccountDevice[]
  readonly recoveryKey: VerifyKey | undefined
}

/** The chain as it was when it had `length` links; they were judged when they were appended. */
export function chainUpTo(chain: AccountChain, length: number): AccountChain {
  const before = judgedChain(chain.links.slice(0, length))
  if (before === undefined) throw new RangeError("a chain has at least its create link")
  return before
}

/** The chain of links that were judged before; undefined if they do not begin with a create link. */
export function judgedChain(links: readonly ChainLink[]): AccountChain | undefined {
  const [first, ...later] = links
  return first?.body.kind === "create" ? later.reduce(applied, created(first, first.body)) : undefined
}

/** Whether a device belongs to the account now: both halves of its key count. */
export function isLive(chain: AccountChain, device: PublicIdentity): boolean {
  const wanted = encodeIdentity(device)
  return chain.devices.some(({ identity }) => equal(encodeIdentity(identity), wanted))
}

/** The chain of a create link that was judged. */
export function created(link: ChainLink, body: LinkBody & { readonly kind: "create" }): AccountChain {
  return {
    accountId: link.head,
    links: [link],
    head: link.head,
    devices: [{ identity: body.device, mayChange: true }],
    recoveryKey: body.recoveryKey,
  }
}

/** The chain with a link that was judged. */
export function applied(chain: AccountChain, link: ChainLink): AccountChain {
  const { body } = link
  const next = { ...chain, links: [...chain.links, link], head: link.head }
  switch (body.kind) {
    case "add": {
      const added = { identity: body.device, mayChange: body.mayChange }
      return { ...next, devices: [...chain.devices, added] }
    }
    case "remove":
      return { ...next, devices: without(chain, body.key) }
    case "recovery-key":
      return { ...next, recoveryKey: body.key }
    case "create":
      return next
  }
}

export function deviceOf({ devices }: AccountChain, key: VerifyKey): AccountDevice | undefined {
  return devices.find(({ identity }) => equal(identity.sign, key))
}

/** The devices of a chain but the one with this key. */
export function without({ devices }: AccountChain, key: VerifyKey): readonly AccountDevice[] {
  return devices.filter(({ identity }) => !equal(identity.sign, key))
}

/** The keys that a link brings in. */
export function keysOf(body: LinkBody) {
  switch (body.kind) {
    case "create": {
      const recovery = body.recoveryKey === undefined ? [] : [body.recoveryKey]
      return { signing: [body.device.sign, ...recovery], box: [body.device.box] }
    }
    case "add":
      return { signing: [body.device.sign], box: [body.device.box] }
    case "remove":
      return { signing: [], box: [] }
    case "recovery-key":
      return { signing: [body.key], box: [] }
  }
}
