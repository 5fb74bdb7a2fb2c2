import { isDeepStrictEqual } from "node:util"
import { expect, test } from "vitest"
import type { AccountChain } from "../../src/account/account-chain.ts"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import type { KemSeed } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { makeBundle } from "../../src/session/bundle.ts"
import { FRAMES, type Frame } from "../../src/wire/frame.ts"
import { textDigest } from "../../src/wire/text-digest.ts"
import { addOf, appended, byDevice, started } from "../account/account-fixture.ts"
import { bobAlone, Client, linkOf, textFrames } from "./account-client.ts"
import { chainFrameOf, helloFrames, NONCE } from "./account-frames.ts"
import type { EngineFixture, TestProfile } from "./engine-fixture.ts"
import { linksIn, snapshotsIn } from "./loaded.ts"

/** What Bob knows of Carol's device. */
const STATES = {
  known: "her account is verified",
  unfinished: "she has not shown all of her account",
  uncompared: "she took the place of another, and nobody has compared",
  locked: "her account is forked",
  blocked: "he has blocked her",
} as const
type State = keyof typeof STATES

const ALL_BUT_BLOCKED = ["known", "unfinished", "uncompared", "locked"] as const
const ONLY_KNOWN = ["known"] as const

type Row = {
  /** Where it changes something of Bob's. */
  readonly changes: readonly State[]
  readonly frames: (setup: Setup) => readonly Frame[]
}

/** Each kind of frame, in the order in which Carol sends them. */
const ROWS: Readonly<Record<Frame["kind"], Row>> = {
  nop: { changes: [], frames: () => [{ kind: "nop" }] },
  // Only the first one counts.
  hello: { changes: [], frames: ({ carol, link }) => carol.shows({ links: [link], withHello: [] }) },
  // No step is under way.
  "pq-ct": { changes: [], frames: () => [{ kind: "pq-ct", id: 1, ciphertext: systemRandom(1088) }] },
  "topic-ok": { changes: [], frames: () => [{ kind: "topic-ok", mailbox: systemRandom(16) }] },
  rejected: { changes: ["known", "uncompared", "locked"], frames: () => [{ kind: "rejected" }] },
  open: { changes: ALL_BUT_BLOCKED, frames: () => [{ kind: "open", nonce: NONCE }] },
  text: { changes: ALL_BUT_BLOCKED, frames: () => textFrames("a text", 1) },
  reply: {
    changes: ALL_BUT_BLOCKED,
    frames: ({ text: { id, digest } }) => [
      ...textFrames("an answer", 2),
      { kind: "reply", author: new Uint8Array(8), id, digest },
    ],
  },
  number: { changes: ALL_BUT_BLOCKED, frames: () => [{ kind: "number", number: 3 }] },
  // The receipt is for a text that was sent to this account; for one that is not known nothing is sealed.
  ack: {
    changes: ["known", "uncompared", "locked"],
    frames: ({ mids }) => [{ kind: "ack", mids: [mids[0]!] }],
  },
  // No new session was made because something was lost.
  have: { changes: [], frames: () => [{ kind: "have", ids: [] }] },
  read: { changes: ONLY_KNOWN, frames: ({ ids }) => [{ kind: "read", ids: [ids[0]!] }] },
  again: { changes: ONLY_KNOWN, frames: () => [{ kind: "again", numbers: [1] }] },
  gone: { changes: ONLY_KNOWN, frames: () => [{ kind: "gone", reason: "cancelled", numbers: [40] }] },
  typing: { changes: ONLY_KNOWN, frames: () => [{ kind: "typing", typing: true }] },
  timer: {
    changes: ONLY_KNOWN,
    frames: () => [{ kind: "timer", seconds: 5, setAt: Number.MAX_SAFE_INTEGER }],
  },
  "recovery-bundle": {
    changes: ONLY_KNOWN,
    frames: ({ carol }) => [{ kind: "recovery-bundle", bundle: carol.recoveryBundle() }],
  },
  "pq-ek": {
    changes: ONLY_KNOWN,
    frames: () => [{ kind: "pq-ek", id: 1, encapsulationKey: kemKeyPair(systemRandom(64) as KemSeed) }],
  },
  edit: {
    changes: ONLY_KNOWN,
    frames: (setup) => [
      { kind: "edit", ...changeOf(setup), text: Buffer.from("other words") },
      { kind: "number", number: 4 },
    ],
  },
  reaction: {
    changes: ONLY_KNOWN,
    frames: (setup) => [
      { kind: "reaction", ...changeOf(setup), emoji: Buffer.from("👍") },
      { kind: "number", number: 5 },
    ],
  },
  delete: {
    changes: ONLY_KNOWN,
    frames: (setup) => [
      { kind: "delete", ...changeOf(setup) },
      { kind: "number", number: 6 },
    ],
  },
  resend: {
    changes: ONLY_KNOWN,
    frames: () =>
      textFrames("once more", 7).map((frame) =>
        frame.kind === "text" ? { ...frame, kind: "resend" } : frame,
      ),
  },
  "intro-ask": {
    changes: ONLY_KNOWN,
    frames: () => [{ kind: "intro-ask", account: systemRandom(32), name: Buffer.from("erin") }],
  },
  "intro-yes": {
    changes: ONLY_KNOWN,
    frames: ({ carol, dave }) => [
      { kind: "intro-yes", account: dave.accountId, bundle: oneTimeBundle(carol) },
    ],
  },
  intro: {
    changes: ONLY_KNOWN,
    frames: ({ fixture }) => [
      {
        kind: "intro",
        account: systemRandom(32),
        bundle: oneTimeBundle(new Client(fixture)),
        name: Buffer.from("frank"),
      },
    ],
  },
  // It counts only beside a HELLO that counts.
  "superseded-inits": { changes: [], frames: () => [{ kind: "superseded-inits", mids: [systemRandom(8)] }] },
  // It means something in a group only.
  sig: { changes: [], frames: () => [{ kind: "sig", signature: systemRandom(64) }] },
  unknown: { changes: ONLY_KNOWN, frames: () => [{ kind: "unknown", type: 0x70 }] },
  "chain-ask": {
    changes: ALL_BUT_BLOCKED,
    frames: ({ link }) => [{ kind: "chain-ask", accountId: link.head, first: 0 }],
  },
  topic: { changes: ONLY_KNOWN, frames: () => [{ kind: "topic", mailbox: systemRandom(16) }] },
  moved: { changes: ONLY_KNOWN, frames: () => [{ kind: "moved", at: 1 }] },
  // Good links count no matter who sends them [D-72]. They finish the pairing.
  chain: { changes: ALL_BUT_BLOCKED, frames: ({ more, link }) => [chainFrameOf(link.head, more)] },
}

/** Their messages stay unopened, and open when they come again [D-42]. */
const WAITING: ReadonlySet<Frame["kind"]> = new Set([
  ...(["pq-ek", "topic", "recovery-bundle", "edit", "delete", "reaction", "resend"] as const),
  ...(["intro-ask", "intro-yes", "intro"] as const),
])

type Setup = {
  readonly fixture: EngineFixture
  readonly bob: TestProfile
  readonly carol: Client
  /** A contact of Bob's whom he would introduce to Carol. */
  readonly dave: AccountChain
  /** The first link of Carol's account, and those that Bob does not know yet. */
  readonly link: ChainLink
  readonly more: readonly ChainLink[]
  /** A text of Carol's. */
  readonly text: { readonly id: Uint8Array; readonly digest: Uint8Array }
  /** Bob's texts to her: the frames that carry them, and their ids. */
  readonly mids: readonly Uint8Array[]
  readonly ids: readonly Uint8Array[]
}

async function setUp(state: State): Promise<Setup> {
  const { fixture, bob, carol } = await bobAlone()
  const dave = new Client(fixture)
  const account = started(linkOf(dave.identity))
  await dave.answers(bob, helloFrames("dave", dave.recoveryBundle(), { links: account.links }))
  if (state === "uncompared") {
    const erin = new Client(fixture)
    await erin.answers(bob, helloFrames("erin", erin.recoveryBundle(), { links: [linkOf(erin.identity)] }))
  }
  const create = started(linkOf(carol.identity))
  const [two, rival] = [withDevice(create, carol), withDevice(create, carol)]
  const links = state === "unfinished" ? two.links : create.links
  await carol.answers(bob, carol.shows({ links, withHello: create.links }))
  carol.received()
  const written = textFrames("hello", 0)
  await carol.sends(...written)
  if (state !== "unfinished") await bobWrites(bob)
  const outgoing = (await bob.store.load()).outgoing.filter(({ carries }) => carries !== undefined)
  await enter(state, bob, carol, [two, rival])
  const [text] = written.filter((frame) => frame.kind === "text")
  return {
    ...{ fixture, bob, carol, dave: account },
    link: create.links[0]!,
    more: state === "locked" ? withDevice(two, carol).links.slice(2) : two.links.slice(1),
    text: { id: text!.id, digest: textDigest(text!) },
    mids: [...outgoing.map(({ mid }) => mid), systemRandom(8)],
    ids: [...outgoing.map(({ carries }) => carries!.id), systemRandom(8)],
  }
}

const withDevice = (chain: AccountChain, { identity }: Client): AccountChain =>
  appended(chain, addOf(chain, createIdentity(systemRandom), byDevice(identity)))

async function bobWrites(bob: TestProfile): Promise<void> {
  await bob.send("carol", "one")
  await bob.send("carol", "two")
  await bob.client.call("introduce", { contact: "dave", to: "carol" })
  await bob.fixture.clock.pass(1_000)
}

async function enter(
  state: State,
  bob: TestProfile,
  carol: Client,
  branches: readonly AccountChain[],
): Promise<void> {
  if (state === "blocked") await bob.client.call("block", { contact: "carol", blocked: true })
  if (state === "uncompared") await bob.client.call("replace", { contact: "erin", newContact: "carol" })
  if (state !== "locked") return
  for (const { accountId, links } of branches) await carol.sends(chainFrameOf(accountId, links.slice(1)))
}

function changeOf({ carol, link, text: { id, digest } }: Setup) {
  const time = carol.fixture.clock.now()
  return { author: new Uint8Array(link.head.subarray(0, 8)), id, digest, time }
}

function oneTimeBundle({ fixture, identity, inbox }: Client): Uint8Array {
  const notAfter = Math.floor(fixture.clock.now() / 1000) + 86_400
  return makeBundle(identity, { multiUse: false, recovery: false, inbox, notAfter }, systemRandom).bundle
    .bytes
}

/**
 * What is Bob's, but for the session itself, and what makes it robust: receipts, messages that were seen, and the count of those
 * that were refused.
 */
async function ours({ store, events }: TestProfile) {
  const all = await store.load()
  const { contacts, devices, conversations, held, introductions } = all
  const accountLinks = await linksIn(store)
  const parts = [...all.deviceParts.values()].map(
    ({ textNumbers, withdrawnTexts, shownAccount, recovery }) => ({
      ...{ textNumbers, withdrawnTexts, shownAccount, recovery },
    }),
  )
  const outgoing = all.outgoing.filter(({ kind }) => kind !== "passing")
  const [messages, early] = [await store.messages(0, 1_000), await store.earlyChanges()]
  return {
    ...{ contacts, devices, conversations, held, accountLinks, introductions, parts, outgoing },
    ...{ messages, early, events: events.filter(({ kind }) => kind !== "dropped").length },
  }
}

const snapshots = async ({ store }: TestProfile) => snapshotsIn(store)

test("each frame of the wire is classified", () => {
  expect(Object.keys(ROWS).sort()).toEqual([...Object.keys(FRAMES), "unknown"].sort())
})

test.each(Object.entries(STATES))(
  "%s: %s; each frame of the wire changes what it may, and nothing else [D-42] [D-43] [D-71]",
  async (name) => {
    const state = name as State
    const setup = await setUp(state)
    const { fixture, bob, carol } = setup
    const [changed, closed]: string[][] = [[], []]
    for (const [kind, { frames }] of Object.entries(ROWS)) {
      const [before, session] = [await ours(bob), await snapshots(bob)]
      carol.injects(...frames(setup))
      await fixture.clock.pass(1)
      if (!isDeepStrictEqual(await ours(bob), before)) changed!.push(kind)
      if (isDeepStrictEqual(await snapshots(bob), session)) closed!.push(kind)
      await fixture.clock.pass(20)
    }
    const rows = Object.entries(ROWS)
    expect(changed).toEqual(rows.flatMap(([kind, { changes }]) => (changes.includes(state) ? [kind] : [])))
    const isClosed = (kind: string) =>
      state === "blocked" || (state !== "known" && WAITING.has(kind as Frame["kind"]))
    expect(closed).toEqual(Object.keys(ROWS).filter(isClosed))
  },
)
