import { describe, expect, test } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { createLink } from "../../src/account/create.ts"
import { startChain } from "../../src/account/judge.ts"
import { accountOfDevice } from "../../src/engine/contacts/accounts.ts"
import { hello, recoveryBundle } from "../../src/engine/handshake/hello.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { makeBundle, readBundle } from "../../src/session/bundle.ts"
import { initiate, introductionPsk, MODE } from "../../src/session/handshake.ts"
import { HOUR_MS } from "../../src/time-units.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { inboxTopic } from "../../src/wire/topics.ts"
import { replacedContact } from "./candidate.ts"
import { hostileContact } from "./hostile-contact.ts"
import { answers, names, questions, trio } from "./introduction-fixture.ts"

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
    for (const identity of [alice.identity, createIdentity(systemRandom)]) {
      const accounts = {
        introducer: accountOfDevice(alice.identity.public),
        initiator: accountOfDevice(bob.identity.public),
        owner: accountOfDevice(carol.identity.public),
      }
      const psk = introductionPsk(bundle.hash, accounts)
      const input = { now: fixture.clock.now(), random: systemRandom }
      const account = startChain(createLink(identity, input.now, systemRandom))
      if (account.kind === "refused") throw new Error(account.why)
      const self = { identity, name: "bob", account: account.chain }
      const frames = hello(self, recoveryBundle(identity, inbox(), input), systemRandom(32))
      const init = initiate(
        { identity, inbox: inbox(), bundle, psk, mode: MODE.introduction, frames },
        systemRandom,
      )
      if (init.kind === "refused") throw new Error(init.why)
      fixture.broker.inject(inboxTopic(bundle.inbox), init.init)
      await fixture.clock.pass(200)
    }
    expect(await names(carol)).toEqual(["alice"])
    await answers(bob, true)
    await fixture.clock.pass(200)
    expect(await names(carol)).toEqual(["alice", "bob"])
  })

  test("a bundle that is not the named account's, or is no one-time bundle, is no question", async () => {
    const { fixture, bob, sends } = await hostileContact()
    const carol = createIdentity(systemRandom)
    const account = accountOfDevice(carol.public)
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
    await sends(intro(made(createIdentity(systemRandom))))
    await sends(intro(made(carol, { multiUse: true })))
    await sends(intro(made(carol, { recovery: true })))
    await sends(intro(made(carol, { notAfter: 1 })))
    await sends(intro(made().fill(7, 0, 40)))
    expect(await questions(bob)).toEqual([])
    await sends(intro(made()))
    expect(await questions(bob)).toHaveLength(1)
  })

  test("an agreement that no one asked for, or with another's bundle, passes nothing on", async () => {
    const { fixture, bob, sends } = await hostileContact()
    const notAfter = Math.floor(fixture.clock.now() / 1000) + 86_400
    const terms = { multiUse: false, recovery: false, inbox: inbox(), notAfter }
    const { bytes } = makeBundle(createIdentity(systemRandom), terms, systemRandom).bundle
    const dave = await fixture.profile("dave")
    await fixture.pair(bob, dave)
    await sends({ kind: "intro-yes", account: accountOfDevice(dave.identity.public), bundle: bytes })
    await bob.client.call("introduce", { contact: "dave", to: "eve" })
    await sends({ kind: "intro-yes", account: accountOfDevice(dave.identity.public), bundle: bytes })
    await fixture.clock.pass(1_000)
    expect(await questions(dave)).toEqual([])
  })
})

test("[D-43] a key that was not compared introduces no one", async () => {
  const { alice, injects } = await replacedContact()
  await injects(ask("dave"))
  expect(await questions(alice)).toEqual([])
})
