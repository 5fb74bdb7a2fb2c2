import { concat } from "../../src/crypto/bytes.ts"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { commitmentTo } from "../../src/session/comparison.ts"
import { readLinks } from "../../src/account/chain-link.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { TestProfile } from "./engine-fixture.ts"

type Hello = Extract<Frame, { kind: "hello" }>

/** What the share of these clients commits to [S-60]. */
export const NONCE = new Uint8Array(32).fill(5)

/** The account that a hostile client names, and the links that it shows beside its HELLO; by default the create link. */
export type ShownAccount = {
  readonly links: readonly ChainLink[]
  readonly withHello?: readonly ChainLink[]
  readonly change?: Partial<Hello>
}

/** The first frames of a handshake. */
export function helloFrames(name: string, recoveryBundle: Uint8Array, shown: ShownAccount): Frame[] {
  const { links, change = {} } = shown
  const withHello = shown.withHello ?? links.slice(0, 1)
  const [first, last] = [links[0], links.at(-1)]
  if (first === undefined || last === undefined) throw new Error("an account has links")
  const account = { accountId: first.head, length: links.length, head: last.head }
  const share = commitmentTo(NONCE)
  const hello: Hello = {
    kind: "hello",
    name: Buffer.from(name),
    recoveryBundle,
    ...account,
    share,
    ...change,
  }
  return withHello.length === 0 ? [hello] : [hello, chainFrameOf(hello.accountId, withHello)]
}

export function chainFrameOf(accountId: Uint8Array, links: readonly ChainLink[]): Frame {
  return {
    kind: "chain",
    accountId,
    first: links[0]?.number ?? 0,
    links: concat(...links.map(({ bytes }) => bytes)),
  }
}

/** The links of a profile's own account. */
export async function ownLinksOf(profile: TestProfile): Promise<readonly ChainLink[]> {
  const { ownLinks } = await profile.store.load()
  return readLinks(concat(...ownLinks)).links
}
