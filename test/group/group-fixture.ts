import { hash32 } from "../../src/crypto/kdf.ts"
import { utf8 } from "../../src/crypto/bytes.ts"
import { firstEpoch, nextEpoch, type Epoch, type Member, type Role } from "../../src/group/epoch.ts"
import { foundGroup, groupIdOf } from "../../src/group/group-id.ts"
import { newIdentity, seededRandom } from "../session/session-fixture.ts"

/** The same account, device and inbox for the same name. */
export const accountOf = (name: string): Uint8Array => hash32(utf8(`account ${name}`))
export const deviceOf = (name: string) => newIdentity(seededRandom(`device ${name}`)).public

export function member(name: string, role: Role = "member", speaks = true): Member {
  const random = seededRandom(`member ${name}`)
  const inbox = { device: random(16), mailbox: random(16) }
  return { account: accountOf(name), role, speaks, head: random(32), inbox }
}

export const founding = foundGroup(accountOf("alice"), seededRandom("founding"))
export const groupId = groupIdOf(founding)

/** Alice's group before she adds anybody. */
export function founded(): Epoch {
  return firstEpoch(groupId, member("alice"), seededRandom("first epoch"))
}

/** The epoch after `epoch` with these members; other `seed`, other secret. */
export function changed(epoch: Epoch, members: readonly Member[], seed = "next"): Epoch {
  const next = nextEpoch(epoch, members, seededRandom(`${seed} ${epoch.number}`))
  if (next === undefined) throw new Error("no such epoch")
  return next
}

/** Alice's group with Bob as her successor and Carol. */
export function ofThree(): Epoch {
  return changed(founded(), [member("alice", "owner"), member("bob", "successor"), member("carol")])
}
