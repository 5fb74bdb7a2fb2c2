import { toHex, type Random } from "../../src/crypto/bytes.ts"
import {
  encodeEpoch,
  epochHash,
  epochTopic,
  firstEpoch,
  nextEpoch,
  type Epoch,
  type Member,
} from "../../src/group/epoch.ts"
import { foundGroup, groupIdOf } from "../../src/group/group-id.ts"
import { encodeSenderKey, epochName } from "../../src/group/sender-key.ts"
import { sealInGroup, senderKeyOf, startSendingChain } from "../../src/group/sending-chain.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { encodeIdentity } from "../../src/wire/identity.ts"
import { asJson } from "../as-json.ts"
import { newIdentity, seededRandom } from "../session/session-fixture.ts"

const SEED = "group vectors, version 1"
/** Of one message, in the order of the chain. */
const TEXTS = ["grüße", "and more", "x".repeat(700)]

function memberFrom(random: Random, rights: Pick<Member, "role" | "speaks">): Member {
  const inbox = { device: random(16), mailbox: random(16) }
  return { account: random(32), ...rights, head: random(32), inbox }
}

function inHex(epoch: Epoch) {
  const hash = epochHash(epoch)
  return asJson({ ...epoch, bytes: encodeEpoch(epoch), hash, topic: epochTopic(epoch) })
}

function textFrames(text: string, number: number, random: Random): Frame[] {
  return [
    { kind: "number", number },
    { kind: "text", id: random(8), time: 1_800_000_000_000 + number, text: Buffer.from(text) },
  ]
}

/** A group with its secrets: two epochs, a device's keys in the second, and what it says. */
export function groupVectors() {
  const random = seededRandom(SEED)
  const owner = memberFrom(random, { role: "owner", speaks: true })
  const founding = foundGroup(owner.account, random)
  const first = firstEpoch(groupIdOf(founding), owner, random)
  const members = [
    owner,
    memberFrom(random, { role: "successor", speaks: true }),
    memberFrom(random, { role: "member", speaks: false }),
  ]
  const second = nextEpoch(first, members, random)
  if (second === undefined) throw new Error("no second epoch")
  const device = newIdentity(random).public
  let chain = startSendingChain(epochName(second), 258, random)
  const messages = TEXTS.map((text, at) => {
    const frames = textFrames(text, 258 + at, random)
    const senderKey = encodeSenderKey(senderKeyOf(chain))
    const sealed = sealInGroup(chain, frames, device)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    chain = sealed.next
    return { senderKey, frames, wire: sealed.wire, mid: sealed.mid }
  })
  return {
    seed: SEED,
    founding: asJson({ ...founding, group: groupIdOf(founding) }),
    epochs: [inHex(first), inHex(second)],
    device: toHex(encodeIdentity(device)),
    signingSecret: toHex(chain.signingKey),
    messages: asJson(messages),
  }
}
