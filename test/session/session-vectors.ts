import { headOf } from "../../src/account/chain-link.ts"
import { createLink } from "../../src/account/create.ts"
import { concat, fromHex, toHex, utf8, type RecoverySecret } from "../../src/crypto/bytes.ts"
import { kdf } from "../../src/crypto/kdf.ts"
import { makeBundle, readBundle, type BundleTerms } from "../../src/session/bundle.ts"
import {
  initiate,
  initTag,
  introductionPsk,
  linkPsk,
  MODE,
  recoveryPsk,
  respond,
} from "../../src/session/handshake.ts"
import { commit, commitmentTo, newNonce, onShare, wordsOf } from "../../src/session/comparison.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { encodeIdentity, type IdentityKeys } from "../../src/wire/identity.ts"
import type { Inbox } from "../../src/wire/topics.ts"
import { asJson } from "../as-json.ts"
import { counting, recordedRandom, type RecordedRandom } from "../recorded-random.ts"
import { frameBytes } from "../wire/frame-vectors.ts"
import { RecordedConversation } from "./recorded-conversation.ts"
import { inbox, newIdentity, NOW, seededRandom, text, TOMORROW } from "./session-fixture.ts"

/**
 * A whole conversation with all its secrets: accounts, bundle, INIT, WELCOME, ten texts and a post-quantum step. Every
 * backend must write exactly these bytes.
 */
export function sessionVectors() {
  const recorded = recordedRandom(seededRandom("session vectors, version 1"))
  const [alice, bob] = [newPerson("Alice", recorded), newPerson("Bob", recorded)]
  const offered = newBundle(bob.identity, { ...oneTime, inbox: bob.inbox }, recorded)
  const bundle = readBundle(offered.open.bundle.bytes, NOW)!
  const psk = linkPsk(bundle.hash)
  const frames = hello(alice, commitmentTo(alice.nonce))
  const initiation = { identity: alice.identity, inbox: alice.inbox, bundle, psk, mode: MODE.link, frames }
  const initiated = initiate(initiation, recorded.random)
  if (initiated.kind === "refused") throw new Error(initiated.why)
  const [ephemeralSecret, encapsulation, ratchetSecret, filling] = recorded.take(4)
  const answer = { identity: bob.identity, open: offered.open, psk, mode: MODE.link }
  const accepted = respond(answer, initiated.init)
  if (accepted.kind === "refused") throw new Error(accepted.why)
  const { sas, recoverySecret } = accepted.established
  const sessions = { alice: initiated.established.session, bob: accepted.established.session }
  const conversation = new RecordedConversation(sessions, recorded)
  takeTurns(conversation, hello(bob, bob.nonce), alice.nonce)
  const comparison = onShare(commit(sas, alice.nonce, alice.head), bob.nonce, bob.head)
  return {
    about: "A handshake by link and a conversation, with every secret: clauses A-1, S-2 to S-62.",
    now: NOW,
    alice: alice.vector,
    bob: bob.vector,
    bundle: offered.vector,
    presharedKeys: presharedKeys(bundle.hash, recoverySecret),
    init: {
      ...{ mode: MODE.link, ephemeralSecret, encapsulation, ratchetSecret, filling },
      ...{ frames: frameBytes(frames), mid: toHex(initiated.mid), bytes: toHex(initiated.init) },
    },
    ...{ sas: toHex(sas), recoverySecret: toHex(recoverySecret), words: toHex(wordsOf(comparison)!) },
    steps: conversation.steps,
    snapshots: conversation.snapshots(),
  }
}

const oneTime = { multiUse: false, recovery: false, notAfter: TOMORROW } as const
const ofRecovery = { multiUse: false, recovery: true, notAfter: TOMORROW } as const

/** An account of one device, what it offers for a recovery, and its half of the words. */
function newPerson(name: string, recorded: RecordedRandom) {
  const { random, take } = recorded
  const [identity, at] = [newIdentity(random), inbox(random)]
  take(4)
  // As a profile makes its own.
  const accountRandom = kdf(new Uint8Array(), identity.signSecret, utf8("mqttchat/1 account"), 32)
  const link = createLink(identity, 0, () => accountRandom)
  const recovery = newBundle(identity, { ...ofRecovery, inbox: at }, recorded)
  const nonce = newNonce(random)
  take(1)
  const account = headOf(link.bytes)
  const vector = {
    ...{ name, signSecret: toHex(identity.signSecret), boxSecret: toHex(identity.boxSecret) },
    ...{ identity: toHex(encodeIdentity(identity.public)), inbox: inboxBytes(at) },
    account: { time: 0, random: toHex(accountRandom), link: toHex(link.bytes), id: toHex(account) },
    recoveryBundle: recovery.vector,
    nonce: toHex(nonce),
  }
  return { name, identity, inbox: at, link, head: { account, head: account }, recovery, nonce, vector }
}

/** HELLO, and the account's only link beside it [W-21] [W-56]. */
function hello({ name, recovery, link, head }: ReturnType<typeof newPerson>, share: Uint8Array): Frame[] {
  const recoveryBundle = recovery.open.bundle.bytes
  const accountId = head.account
  return [
    { kind: "hello", name: utf8(name), recoveryBundle, accountId, length: 1, head: head.head, share },
    { kind: "chain", accountId, first: 0, links: link.bytes },
  ]
}

/** Texts in turns, of which one is overtaken and one is under way at the end, and one post-quantum step. */
function takeTurns(conversation: RecordedConversation, welcome: readonly Frame[], nonce: Uint8Array): void {
  conversation.send("bob", ...welcome)
  const mid = fromHex(conversation.midOf(0)).slice(0, 8)
  conversation.send("alice", { kind: "open", nonce }, { kind: "ack", mids: [mid] })
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
