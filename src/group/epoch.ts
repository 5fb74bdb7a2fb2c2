import { compare, concat, equal, utf8, type Random } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { decode, Writer, type Reader } from "../wire/codec.ts"
import { ACCOUNT_ID_BYTES, GROUP_ID_BYTES } from "../wire/sizes.ts"
import { ID_BYTES, joinInbox, splitInbox, type Inbox } from "../wire/topics.ts"

/** An epoch of so many fits the bucket of 16,384, and a text makes so many receipts at most [G-3]. */
export const MEMBERS_MAX = 128
/** The header of a message holds it; a group that changes every hour reaches it in seven years [G-3]. */
export const EPOCH_MAX = 65_535
const EPOCH_SECRET_BYTES = KEY_BYTES
export const EPOCH_HASH_BYTES = 32
/** What the first epoch has for the hash of the one before. */
const NO_EPOCH = new Uint8Array(EPOCH_HASH_BYTES)

const RIGHT = { owner: 1, successor: 2, speaks: 4 } as const
const ALL_RIGHTS = RIGHT.owner | RIGHT.successor | RIGHT.speaks
const HASH_LABEL = utf8("mqttchat/1 epoch")
const TOPIC_LABEL = utf8("mqttchat/1 group topic")

export type Role = "owner" | "successor" | "member"

/** One account in an epoch [G-3]. */
export type Member = {
  readonly account: Uint8Array
  readonly role: Role
  readonly speaks: boolean
  /** The head of its chain, which says which devices it has. */
  readonly head: Uint8Array
  /** Where members ask for a bundle of its. */
  readonly inbox: Inbox
}

/** Who is in a group, and the secret that its members share, from one change to the next [G-3]. */
export type Epoch = {
  readonly group: Uint8Array
  readonly number: number
  /** The hash of the epoch before. */
  readonly before: Uint8Array
  readonly secret: Uint8Array
  /** In the order of their account ids. */
  readonly members: readonly Member[]
}

/** The first epoch of a group, with its owner alone. */
export function firstEpoch(group: Uint8Array, owner: Omit<Member, "role" | "speaks">, random: Random): Epoch {
  const members = [{ ...owner, role: "owner", speaks: true }] as const
  return { group, number: 0, before: NO_EPOCH, secret: random(EPOCH_SECRET_BYTES), members }
}

/** The epoch after `epoch`, with other members; undefined where there is no number left or the members are not valid. */
export function nextEpoch(epoch: Epoch, members: readonly Member[], random: Random): Epoch | undefined {
  const next = {
    group: epoch.group,
    number: epoch.number + 1,
    before: epochHash(epoch),
    secret: random(EPOCH_SECRET_BYTES),
    members: members.toSorted((one, other) => compare(one.account, other.account)),
  }
  return next.number <= EPOCH_MAX && isRoster(next.members) ? next : undefined
}

/** `group id 16 | number u32 | hash of the epoch before 32 | secret 32 | members` [G-3]. */
export function encodeEpoch({ group, number, before, secret, members }: Epoch): Uint8Array {
  return concat(
    new Writer().bytes(group).u32(number).bytes(before).bytes(secret).done(),
    ...members.map(encodeMember),
  )
}

/** The epoch in these bytes, or undefined unless `encodeEpoch` would write them [G-4]. */
export function decodeEpoch(bytes: Uint8Array): Epoch | undefined {
  return decode(bytes, (reader) => {
    const group = reader.bytes(GROUP_ID_BYTES)
    const number = reader.u32()
    const before = reader.bytes(EPOCH_HASH_BYTES)
    const secret = reader.bytes(EPOCH_SECRET_BYTES)
    const members: Member[] = []
    while (reader.left > 0 && members.length < MEMBERS_MAX) members.push(readMember(reader))
    return number <= EPOCH_MAX && isRoster(members) ? { group, number, before, secret, members } : undefined
  })
}

/** 32 bytes: members that agree on it agree on secret, members, their devices, and all that was before [G-5]. */
export function epochHash(epoch: Epoch): Uint8Array {
  return hash32(HASH_LABEL, encodeEpoch(epoch))
}

/** The last level of the topic on which this epoch is spoken: 16 bytes that only its members can compute [G-6]. */
export function epochTopic({ group, secret }: Pick<Epoch, "group" | "secret">): Uint8Array {
  return kdf(group, secret, TOPIC_LABEL, ID_BYTES)
}

export function memberOf(epoch: Epoch, account: Uint8Array): Member | undefined {
  return epoch.members.find((member) => equal(member.account, account))
}

export function ownerOf({ members }: Pick<Epoch, "members">): Member | undefined {
  return members.find(({ role }) => role === "owner")
}

/** One owner, who speaks, at most one successor, and no account twice [G-4]. */
function isRoster(members: readonly Member[]): boolean {
  const having = (role: Role): number => members.filter((member) => member.role === role).length
  const sorted = members.every(
    ({ account }, at) => at === 0 || compare(members[at - 1]?.account ?? account, account) < 0,
  )
  const owner = ownerOf({ members })
  return (
    members.length <= MEMBERS_MAX &&
    sorted &&
    having("owner") === 1 &&
    owner?.speaks === true &&
    having("successor") <= 1
  )
}

function encodeMember({ account, role, speaks, head, inbox }: Member): Uint8Array {
  const rights = (role === "member" ? 0 : RIGHT[role]) | (speaks ? RIGHT.speaks : 0)
  return concat(Uint8Array.of(rights), account, head, joinInbox(inbox))
}

function readMember(reader: Reader): Member {
  const rights = reader.u8()
  if (rights > ALL_RIGHTS || (rights & RIGHT.owner && rights & RIGHT.successor)) reader.refuse()
  return {
    account: reader.bytes(ACCOUNT_ID_BYTES),
    role: rights & RIGHT.owner ? "owner" : rights & RIGHT.successor ? "successor" : "member",
    speaks: (rights & RIGHT.speaks) !== 0,
    head: reader.bytes(ACCOUNT_ID_BYTES),
    inbox: splitInbox(reader.bytes(2 * ID_BYTES)),
  }
}
