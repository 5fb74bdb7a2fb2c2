import { concat, toHex, type RecoverySecret } from "../../src/crypto/bytes.ts"
import { makeBundle, readBundle, type BundleTerms, type OpenBundle } from "../../src/session/bundle.ts"
import {
  initiate,
  initTag,
  introductionPsk,
  linkPsk,
  MODE,
  recoveryPsk,
  respond,
} from "../../src/session/handshake.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { encodeIdentity, type IdentityKeys } from "../../src/wire/identity.ts"
import type { Inbox } from "../../src/wire/topics.ts"
import { asJson } from "../as-json.ts"
import { counting, recordedRandom, type RecordedRandom } from "../recorded-random.ts"
import { frameBytes } from "../wire/frame-vectors.ts"
import { RecordedConversation } from "./recorded-conversation.ts"
import { inbox, newIdentity, NOW, seededRandom, text, TOMORROW } from "./session-fixture.ts"

/**
 * A whole conversation with all its secrets: bundle, INIT, WELCOME, ten texts and a post-quantum step. Every backend
 * must write exactly these bytes.
 */
export function sessionVectors() {
  const recorded = recordedRandom(seededRandom("session vectors, version 1"))
  const { random, take } = recorded
  const people = { alice: newIdentity(random), bob: newIdentity(random) }
  const inboxes = { alice: inbox(random), bob: inbox(random) }
  take(8)
  const offered = newBundle(people.bob, { ...oneTime, inbox: inboxes.bob }, recorded)
  const bundle = readBundle(offered.open.bundle.bytes, NOW)!
  const psk = linkPsk(bundle.hash)
  const recovery = {
    alice: newBundle(people.alice, { ...ofRecovery, inbox: inboxes.alice }, recorded),
    bob: newBundle(people.bob, { ...ofRecovery, inbox: inboxes.bob }, recorded),
  }
  const frames = [hello("Alice", recovery.alice.open)]
  const initiation = { identity: people.alice, inbox: inboxes.alice, bundle, psk, mode: MODE.link, frames }
  const initiated = initiate(initiation, random)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const [ephemeralSecret, encapsulation, ratchetSecret, filling] = take(4)
  const accepted = respond({ identity: people.bob, open: offered.open, psk, mode: MODE.link }, initiated.init)
  if (accepted.kind === "refused") throw new Error(accepted.why)
  const { sas, recoverySecret } = accepted.established
  const sessions = { alice: initiated.established.session, bob: accepted.established.session }
  const conversation = new RecordedConversation(sessions, recorded)
  takeTurns(conversation, hello("Bob", recovery.bob.open))
  return {
    about: "A handshake by link and a conversation, with every secret: clauses S-2 to S-50.",
    now: NOW,
    alice: side(people.alice, inboxes.alice),
    bob: side(people.bob, inboxes.bob),
    bundle: offered.vector,
    recoveryBundles: { alice: recovery.alice.vector, bob: recovery.bob.vector },
    presharedKeys: presharedKeys(bundle.hash, recoverySecret),
    init: {
      ...{ mode: MODE.link, ephemeralSecret, encapsulation, ratchetSecret, filling },
      ...{ frames: frameBytes(frames), mid: toHex(initiated.mid), bytes: toHex(initiated.init) },
    },
    sas: toHex(sas),
    recoverySecret: toHex(recoverySecret),
    steps: conversation.steps,
    snapshots: conversation.snapshots(),
  }
}

const oneTime = { multiUse: false, recovery: false, notAfter: TOMORROW } as const
const ofRecovery = { multiUse: false, recovery: true, notAfter: TOMORROW } as const

/** Texts in turns, of which one is overtaken and one is under way at the end, and one post-quantum step. */
function takeTurns(conversation: RecordedConversation, welcome: Frame): void {
  conversation.send("bob", welcome)
  const one = conversation.write("alice", ...text("one"))
  conversation.send("alice", ...text("two"))
  conversation.send("bob", ...text("three"))
  conversation.read("bob", one)
  conversation.send("alice", ...text("four, a little longer ".repeat(20)))
  conversation.beginPq("alice", NOW + 48 * 3600)
  conversation.send("bob", ...text("five"))
  conversation.send("alice", ...text("six, with the secret of the step"))
  conversation.send("bob", ...text("seven"))
  conversation.send("alice", { kind: "ack", mids: [new Uint8Array(8).fill(7)] })
  conversation.write("alice", ...text("eight, still on its way"))
  conversation.send("alice", ...text("nine, which overtakes it"))
  conversation.send("bob", ...text("ten"))
}

function side({ signSecret, boxSecret, public: keys }: IdentityKeys, at: Inbox) {
  return {
    signSecret: toHex(signSecret),
    boxSecret: toHex(boxSecret),
    identity: toHex(encodeIdentity(keys)),
    inbox: inboxBytes(at),
  }
}

function inboxBytes({ device, mailbox }: Inbox): string {
  return toHex(concat(device, mailbox))
}

/** A bundle and all that was drawn for it. */
function newBundle(owner: IdentityKeys, terms: BundleTerms, { random, take }: RecordedRandom) {
  const open = makeBundle(owner, terms, random)
  const [prekeySecret, kemSeed, fresh] = take(3)
  const flags = (terms.multiUse ? 1 : 0) | (terms.recovery ? 2 : 0)
  const vector = {
    ...{ flags, inbox: inboxBytes(terms.inbox), notAfter: terms.notAfter },
    ...{ prekeySecret, kemSeed, random: fresh, bytes: toHex(open.bundle.bytes) },
  }
  return { open, vector }
}

function hello(name: string, { bundle }: OpenBundle): Frame {
  const [accountId, share] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  const account = { accountId, length: 1, head: accountId, share }
  return { kind: "hello", name: Buffer.from(name), recoveryBundle: bundle.bytes, ...account }
}

/** The accounts of an introduction. */
const ACCOUNTS = { introducer: counting(1)(32), initiator: counting(2)(32), owner: counting(3)(32) }

/** The pre-shared keys that one bundle has in each mode; by code it comes from the pairing [S-4]. */
function presharedKeys(hash: Uint8Array, secret: RecoverySecret) {
  const psks = {
    link: linkPsk(hash),
    file: linkPsk(hash),
    recovery: recoveryPsk(hash, secret),
    introduction: introductionPsk(hash, ACCOUNTS),
  } as const
  const modes = ["link", "file", "recovery", "introduction"] as const
  const keys = modes.map((mode) => {
    const psk = psks[mode]
    return { mode: MODE[mode], psk: toHex(psk), initTag: toHex(initTag(psk, hash)) }
  })
  return { accounts: asJson(ACCOUNTS), keys }
}
