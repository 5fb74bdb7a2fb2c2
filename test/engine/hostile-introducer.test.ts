import { describe, expect, test } from "vitest"
import type { AccountChain } from "../../src/account/account-chain.ts"
import { readLinks } from "../../src/account/chain-link.ts"
import { createLink } from "../../src/account/create.ts"
import { startChain } from "../../src/account/judge.ts"
import { fromBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { bundleRecord } from "../../src/engine/handshake/bundles.ts"
import { hello, recoveryBundle } from "../../src/engine/handshake/hello.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { makeBundle, readBundle } from "../../src/session/bundle.ts"
import { initiate, introductionPsk, MODE } from "../../src/session/handshake.ts"
import type { Write } from "../../src/store/records.ts"
import { DAY_MS, DAY_S, HOUR_MS } from "../../src/time-units.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import { inboxTopic } from "../../src/wire/topics.ts"
import { replacedContact } from "./candidate.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"
import { answers, names, questions, trio } from "./introduction-fixture.ts"

async function accountIdOf(profile: TestProfile): Promise<Uint8Array> {
  return chainOf((await profile.store.load()).ownLinks).accountId
}

function chainOf([first = new Uint8Array(0)]: readonly Uint8Array[]): AccountChain {
  const [link] = readLinks(first).links
  const started = link && startChain(link)
  if (started?.kind !== "good") throw new Error("no account")
  return started.chain
}

function ownAccount(identity: IdentityKeys): AccountChain {
  return chainOf([createLink(identity, 1, systemRandom).bytes])
}

/** What a modified program has written; the engine knows it from its next start. */
async function changeOf(profile: TestProfile, writes: readonly Write[]): Promise<void> {
  await profile.store.commit(writes)
  await profile.stop()
  await profile.start()
}

const inboxOf = ({ deviceId }: TestProfile) => ({
  device: fromBase64url(deviceId) ?? new Uint8Array(0),
  mailbox: systemRandom(16),
})
const inbox = () => ({ device: systemRandom(16), mailbox: systemRandom(16) })
const ask = (name: string, account = systemRandom(32)): Frame => ({
  kind: "intro-ask",
  account,
  name: Buffer.from(name),
})

describe("[D-82] a contact that introduces too much", () => {
  test("has four questions open, and eight within an hour", async () => {
    const { fixture, bob, sends } = await hostileContact()
    for (let n = 0; n < 20; n++) await sends(ask(`person ${n}`))
    expect(await questions(bob)).toHaveLength(4)
    for (let round = 0; round < 3; round++) {
      for (const { id } of await questions(bob))
        await bob.client.call("introduction-answer", { id, accept: false })
      for (let n = 0; n < 20; n++) await sends(ask(`round ${round}, person ${n}`))
    }
    expect(await bob.client.call("introductions", {})).toEqual([])
    const lines = (await bob.systemMessages("eve")).filter((line) => line.includes("introductions accept"))
    expect(lines).toHaveLength(8)
    await fixture.clock.pass(HOUR_MS)
    await sends(ask("an hour later"))
    expect(await questions(bob)).toHaveLength(1)
  })

  test("asks once about an account, also after a no", async () => {
    const { bob, sends } = await hostileContact()
    const account = systemRandom(32)
    await sends(ask("dave", account))
    await sends(ask("dave, really", account))
    expect(await questions(bob)).toHaveLength(1)
    await answers(bob, false)
    await sends(ask("dave", account))
    expect(await questions(bob)).toEqual([])
  })

  test("gives names that are cleaned, take no name in use, and are told as the introducer's words", async () => {
    const { bob, sends } = await hostileContact()
    await sends(ask("eve"))
    await sends(ask("\u001b[31m--help: run this\u202e"))
    await sends(ask("\u200b"))
    const lines = (await bob.systemMessages("eve")).slice(-3)
    expect(lines[0]).toMatch(/^eve asks whether you want to meet eve \(not your contact eve\): mqttchat/)
    expect((await questions(bob)).map(({ name }) => name)).toEqual([
      "eve",
      expect.not.stringMatching(/[\u001b\u202e:]|^-/),
      expect.stringMatching(/^unnamed-[0-9a-f]{8}$/),
    ])
  })
})

test("[D-71] what an introducer makes Bob begin ends after eight days at most, whatever the bundle says", async () => {
  const { fixture, bob, sends } = await hostileContact()
  const now = Math.floor(fixture.clock.now() / 1000)
  const lives = [3_600, 7 * DAY_S, 7 * DAY_S + 1, Number.MAX_SAFE_INTEGER - now]
  for (const life of lives) {
    const terms = { multiUse: false, recovery: false, inbox: inbox(), notAfter: now + life }
    const { bytes } = makeBundle(createIdentity(systemRandom), terms, systemRandom).bundle
    const account = systemRandom(32)
    await sends({ kind: "intro", account, bundle: bytes, name: Buffer.from(`after ${life}`) })
    await answers(bob, true)
  }
  const begun = fixture.clock.now()
  const waiting = async () => (await names(bob)).filter((name) => name.startsWith("after"))
  await fixture.clock.pass(DAY_MS + HOUR_MS)
  expect(await waiting()).toHaveLength(3)
  await fixture.clock.pass(7 * DAY_MS - 2 * HOUR_MS)
  expect(await waiting()).toHaveLength(3)
  await fixture.clock.pass(HOUR_MS)
  expect(fixture.clock.now() - begun).toBe(8 * DAY_MS)
  expect(await names(bob)).toEqual(["eve"])
})

describe("[D-83] each side meets only the account that was named", () => {
  test("Alice answers the bundle herself: refused, and Bob can still answer it", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    await answers(carol, true)
    await fixture.clock.pass(200)
    const [own] = (await alice.store.load()).introductions
    const bundle = readBundle(own?.bundle ?? new Uint8Array(0), fixture.clock.now() / 1000)
    if (bundle === undefined) throw new Error("Alice has no bundle of Carol's")
    const accounts = {
      introducer: await accountIdOf(alice),
      initiator: await accountIdOf(bob),
      owner: await accountIdOf(carol),
    }
    const psk = introductionPsk(bundle.hash, accounts)
    const mallory = createIdentity(systemRandom)
    const bobs = chainOf((await bob.store.load()).ownLinks)
    const missing = createLink(mallory, 1, systemRandom)
    const shown = [
      { identity: alice.identity, account: ownAccount(alice.identity) },
      { identity: mallory, account: ownAccount(mallory) },
      { identity: mallory, account: bobs },
      // Links are missing: she is asked for them, and has none that make her device Bob's.
      { identity: mallory, account: { ...bobs, links: [...bobs.links, missing], head: missing.head } },
    ]
    for (const { identity, account } of shown) {
      const self = { identity, name: "bob", account }
      const frames = hello(self, recoveryBundle(identity, inbox(), fixture.input), systemRandom(32), [])
      const begun = { identity, inbox: inbox(), bundle, psk, mode: MODE.introduction, frames }
      const init = initiate(begun, systemRandom)
      if (init.kind === "refused") throw new Error(init.why)
      fixture.broker.inject(inboxTopic(bundle.inbox), init.init)
      await fixture.clock.pass(200)
    }
    expect(await names(carol)).toEqual(["alice"])
    await answers(bob, true)
    await fixture.clock.pass(HOUR_MS)
    expect(await names(carol)).toEqual(["alice"])
    // She has a day to show them, and Bob's INIT comes again.
    await fixture.clock.pass(2 * DAY_MS)
    expect(await names(carol)).toEqual(["alice", "bob"])
  })

  test("a bundle of another contact's device, or no one-time bundle, is no question", async () => {
    const { fixture, eve, bob, sends } = await hostileContact()
    const carol = createIdentity(systemRandom)
    const account = systemRandom(32)
    const notAfter = Math.floor(fixture.clock.now() / 1000) + 86_400
    const made = (identity = carol, terms = {}) => {
      const all = { multiUse: false, recovery: false, inbox: inbox(), notAfter, ...terms }
      return makeBundle(identity, all, systemRandom).bundle.bytes
    }
    const intro = (bundle: Uint8Array): Frame => ({
      kind: "intro",
      account,
      bundle,
      name: Buffer.from("carol"),
    })
    await sends(intro(made(eve.identity)))
    await sends(intro(made(carol, { multiUse: true })))
    await sends(intro(made(carol, { recovery: true })))
    await sends(intro(made(carol, { notAfter: 1 })))
    await sends(intro(made().fill(7, 0, 40)))
    await sends({ ...intro(made()), account: await accountIdOf(bob) } as Frame)
    expect(await questions(bob)).toEqual([])
    await sends(intro(made()))
    expect(await questions(bob)).toHaveLength(1)
  })

  test("Alice gives Bob the bundle of an account of her own as Carol's: the answer shows it, and nothing stays", async () => {
    const { fixture, alice, bob, carol } = await trio()
    const dave = await fixture.profile("dave")
    await fixture.pair(alice, dave)
    await dave.send("alice", "it is you")
    await fixture.clock.pass(200)
    const open = makeBundle(
      dave.identity,
      { multiUse: false, recovery: false, inbox: inboxOf(dave), notAfter: fixture.clock.now() },
      systemRandom,
    )
    const accounts = {
      introducer: await accountIdOf(alice),
      initiator: await accountIdOf(bob),
      owner: await accountIdOf(carol),
    }
    const secret = { mode: MODE.introduction, psk: introductionPsk(open.bundle.hash, accounts) }
    const record = {
      ...{ id: 1, contact: 1, initiator: null, bundle: open.bundle.bytes, since: fixture.clock.now() },
    }
    await changeOf(dave, [
      {
        kind: "open-bundle",
        bundle: bundleRecord({ open, ...secret, onPaired: () => undefined }, fixture.input),
      },
      {
        kind: "introduction",
        introduction: { ...record, role: "owner", state: "agreed", account: accounts.initiator, name: "bob" },
      },
    ])
    await changeOf(bob, [
      {
        kind: "introduction",
        introduction: {
          ...{ ...record, role: "initiator", state: "introduced" },
          ...{ account: accounts.owner, name: "carol" },
        },
      },
    ])
    // The answer is there before the command has ended.
    await expect(bob.client.call("introduction-answer", { id: 1, accept: true })).rejects.toMatchObject({
      code: "refused",
      message: "the other side belongs to another account than the one that was introduced",
    })
    await fixture.clock.pass(1_000)
    expect(await names(bob)).toEqual(["alice"])
    const notices = bob.events.flatMap((event) => (event.kind === "notice" ? [event.text] : []))
    expect(notices).toContainEqual(
      expect.stringContaining("belongs to another account than the one that was introduced"),
    )
  })

  test("an agreement that no one asked for, or with another's bundle, passes nothing on", async () => {
    const { fixture, bob, sends } = await hostileContact()
    const notAfter = Math.floor(fixture.clock.now() / 1000) + 86_400
    const terms = { multiUse: false, recovery: false, inbox: inbox(), notAfter }
    const { bytes } = makeBundle(createIdentity(systemRandom), terms, systemRandom).bundle
    const dave = await fixture.profile("dave")
    await fixture.pair(bob, dave)
    await sends({ kind: "intro-yes", account: await accountIdOf(dave), bundle: bytes })
    await bob.client.call("introduce", { contact: "dave", to: "eve" })
    await sends({ kind: "intro-yes", account: await accountIdOf(dave), bundle: bytes })
    await fixture.clock.pass(1_000)
    expect(await questions(dave)).toEqual([])
  })

  test("an agreement to meet another than the one who was named passes nothing on", async () => {
    const { fixture, eve, bob, sends } = await hostileContact()
    const notAfter = Math.floor(fixture.clock.now() / 1000) + DAY_S
    const terms = { multiUse: false, recovery: false, inbox: inbox(), notAfter }
    const { bytes } = makeBundle(eve.identity, terms, systemRandom).bundle
    const dave = await fixture.profile("dave")
    await fixture.pair(bob, dave)
    await bob.client.call("introduce", { contact: "dave", to: "eve" })
    await sends({ kind: "intro-yes", account: systemRandom(32), bundle: bytes })
    await fixture.clock.pass(1_000)
    expect(await questions(dave)).toEqual([])
    expect(await bob.systemMessages("eve")).not.toContainEqual(expect.stringContaining("agrees to meet"))
    await sends({ kind: "intro-yes", account: await accountIdOf(dave), bundle: bytes })
    await fixture.clock.pass(1_000)
    expect(await bob.systemMessages("eve")).toContain("eve agrees to meet dave")
  })
})

test("[D-43] a key that was not compared introduces no one", async () => {
  const { alice, injects } = await replacedContact()
  await injects(ask("dave"))
  expect(await questions(alice)).toEqual([])
})
