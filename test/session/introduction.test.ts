import { expect, test } from "vitest"
import type { Bundle } from "../../src/session/bundle.ts"
import { initiate, introductionPsk, MODE, respond } from "../../src/session/handshake.ts"
import { bundleOf, hello, inbox, newIdentity, seededRandom } from "./session-fixture.ts"

const random = seededRandom("introduction")
const [bob, carol] = [newIdentity(random), newIdentity(random)]
const accounts = { introducer: random(32), initiator: random(32), owner: random(32) }

function initOf(bundle: Bundle, from: typeof accounts): Uint8Array {
  const psk = introductionPsk(bundle.hash, from)
  const frames = [hello("Bob", bob, random)]
  const begun = { identity: bob, inbox: inbox(random), bundle, psk, mode: MODE.introduction, frames }
  const initiated = initiate(begun, random)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  return initiated.init
}

test("[S-4] [S-10] Bob, who was introduced to Carol, answers the bundle that she made for him", () => {
  const open = bundleOf(carol, random)
  const psk = introductionPsk(open.bundle.hash, accounts)
  const init = initOf(open.bundle, accounts)
  expect(respond({ identity: carol, open, psk, mode: MODE.introduction }, init)).toMatchObject({
    kind: "accepted",
    established: { peer: bob.public },
  })
  expect(respond({ identity: carol, open, psk, mode: MODE.link }, init).kind).toBe("refused")
})

test.each(["introducer", "initiator", "owner"] as const)(
  "[S-4] an INIT for an introduction with another %s does not find the bundle",
  (who) => {
    const open = bundleOf(carol, random)
    const init = initOf(open.bundle, { ...accounts, [who]: random(32) })
    const psk = introductionPsk(open.bundle.hash, accounts)
    const refused = respond({ identity: carol, open, psk, mode: MODE.introduction }, init)
    expect(refused).toEqual({ kind: "refused", why: "unknown-tag" })
  },
)

test("[S-4] who initiates and who owns is not the same the other way round", () => {
  const { hash } = bundleOf(carol, random).bundle
  const { introducer, initiator, owner } = accounts
  const turned = introductionPsk(hash, { introducer, initiator: owner, owner: initiator })
  expect(turned).not.toEqual(introductionPsk(hash, accounts))
})
