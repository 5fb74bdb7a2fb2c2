import { expect, test } from "vitest"
import { createLink, judge, readLinks } from "./account.ts"
import {
  identityOf,
  initTag,
  introductionPsk,
  linkPsk,
  makeBundle,
  readBundle,
  recoveryPsk,
} from "./bundle.ts"
import { ascii, concat, hex, toHex } from "./bytes.ts"
import { readFrames, type Frame } from "./frames.ts"
import { initiate, respond } from "./handshake.ts"
import { decapsulate, encapsulate, H32, KDF, kemKey } from "./primitives.ts"
import { messageId, open, pad, seal, type State } from "./ratchet.ts"
import { snapshotOf } from "./snapshot.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

type Name = "alice" | "bob"
type Bundle = {
  flags: number
  inbox: string
  notAfter: number
  prekeySecret: string
  kemSeed: string
  random: string
  bytes: string
}
type Person = Record<"name" | "signSecret" | "boxSecret" | "identity" | "inbox" | "nonce", string> & {
  account: { time: number; random: string; link: string; id: string }
  recoveryBundle: Bundle
}
type Step =
  | { do: "seal"; by: Name; ratchetSecret?: string; frames: string; mid: string; wire: string }
  | { do: "open"; by: Name; message: number; now: number }
  | { do: "begin-pq"; by: Name; now: number; id: number; kemSeed: string }
  | { do: "answer-pq"; by: Name; now: number; message: number; encapsulation: string }
  | { do: "finish-pq"; by: Name; message: number }

const vectors = vectorsOf("session.json") as {
  now: number
  alice: Person
  bob: Person
  bundle: Bundle
  presharedKeys: {
    accounts: Record<"introducer" | "initiator" | "owner", string>
    keys: { mode: number; psk: string; initTag: string }[]
  }
  init: Record<
    "ephemeralSecret" | "encapsulation" | "ratchetSecret" | "filling" | "frames" | "mid" | "bytes",
    string
  > & {
    mode: number
  }
  sas: string
  words: string
  recoverySecret: string
  steps: Step[]
  snapshots: Record<Name, string>
}

const secretsOf = ({ signSecret, boxSecret }: Person) => ({
  signSecret: hex(signSecret),
  boxSecret: hex(boxSecret),
})
const secretsOfBundle = (bundle: Bundle) => ({
  prekeySecret: hex(bundle.prekeySecret),
  kemSeed: hex(bundle.kemSeed),
})
const { alice, bob, bundle, init, now } = vectors
const bundleBytes = hex(bundle.bytes)

test("identities and bundles [W-14] [S-2] [S-3]", () => {
  for (const person of [alice, bob]) expect(toHex(identityOf(secretsOf(person)))).toBe(person.identity)
  const bundles = [
    { owner: bob, of: bundle },
    { owner: alice, of: alice.recoveryBundle },
    { owner: bob, of: bob.recoveryBundle },
  ]
  for (const { owner, of } of bundles) {
    const input = { ...of, ...secretsOfBundle(of), inbox: hex(of.inbox), random: hex(of.random) }
    expect(toHex(makeBundle(secretsOf(owner), input))).toBe(of.bytes)
    expect(of.inbox).toBe(owner.inbox)
    expect(toHex(readBundle(hex(of.bytes), now).identity)).toBe(owner.identity)
  }
})

test("accounts [A-1] [A-2] [A-3]", () => {
  for (const person of [alice, bob]) {
    const { time, random, link, id } = person.account
    expect(toHex(KDF(new Uint8Array(), hex(person.signSecret), "mqttchat/1 account", 32))).toBe(random)
    expect(toHex(createLink(secretsOf(person), time, hex(random)))).toBe(link)
    const { chain, refused } = judge(readLinks(hex(link)).links)
    expect([refused, toHex(chain!.accountId)]).toEqual([null, id])
  }
})

/** What a person says first: HELLO, and the create link beside it. */
function helloOf({ name, account, recoveryBundle }: Person, share: Uint8Array): Frame[] {
  const { id: accountId, link } = account
  const who = { name: toHex(ascii(name)), recoveryBundle: recoveryBundle.bytes, accountId, length: 1 }
  return [
    { kind: "hello", ...who, head: accountId, share: toHex(share) },
    { kind: "chain", accountId, first: 0, links: link },
  ]
}

test("HELLO and CHAIN of both sides, OPEN, and the words of their shares [W-21] [W-56] [S-60] [S-62]", () => {
  const [nI, nR] = [hex(alice.nonce), hex(bob.nonce)]
  const [welcome, opening] = vectors.steps.filter((step) => step.do === "seal")
  expect(readFrames(pad(hex(init.frames)))).toEqual(helloOf(alice, H32(ascii("mqttchat/1 sas"), nI)))
  expect(readFrames(pad(hex(welcome!.frames)))).toEqual(helloOf(bob, nR))
  expect(readFrames(pad(hex(opening!.frames)))).toEqual([
    { kind: "open", nonce: alice.nonce },
    { kind: "ack", mids: [welcome!.mid.slice(0, 16)] },
  ])
  const heads = [alice, bob].map(({ account }) => hex(account.id + account.id))
  const info = concat(ascii("mqttchat/1 words"), ...heads)
  expect(toHex(KDF(hex(vectors.sas), concat(nI, nR), info, 32))).toBe(vectors.words)
})

test("pre-shared keys and tags of INITs [S-4] [S-11]", () => {
  const { keys, accounts } = vectors.presharedKeys
  const { introducer, initiator, owner } = accounts
  const psks = {
    2: linkPsk(bundleBytes),
    3: linkPsk(bundleBytes),
    4: recoveryPsk(bundleBytes, hex(vectors.recoverySecret)),
    5: introductionPsk(bundleBytes, hex(introducer), hex(initiator), hex(owner)),
  }
  const expected = Object.entries(psks).map(([mode, psk]) => ({
    mode: Number(mode),
    psk: toHex(psk),
    initTag: toHex(initTag(psk, bundleBytes)),
  }))
  expect(keys).toEqual(expected)
})

function handshake() {
  const agreed = { psk: linkPsk(bundleBytes), mode: init.mode, bundle: bundleBytes }
  const [ephemeralSecret, encapsulation] = [hex(init.ephemeralSecret), hex(init.encapsulation)]
  const [ratchetSecret, filling] = [hex(init.ratchetSecret), hex(init.filling)]
  const drawn = { ephemeralSecret, encapsulation, ratchetSecret, filling }
  const mine = { identity: secretsOf(alice), inbox: hex(alice.inbox), frames: hex(init.frames), now }
  const atAlice = initiate({ ...agreed, ...mine, ...drawn })
  const owner = { identity: secretsOf(bob), ...secretsOfBundle(bundle) }
  const atBob = respond(agreed, owner, atAlice.init)
  return { atAlice, atBob }
}

test("the INIT, as the initiator writes it and as the owner reads it [S-11] [S-12] [S-13]", () => {
  const { atAlice, atBob } = handshake()
  expect(toHex(atAlice.init)).toBe(init.bytes)
  expect(toHex(messageId(atAlice.message))).toBe(init.mid)
  expect([toHex(atBob.peer), toHex(atBob.peerInbox)]).toEqual([alice.identity, alice.inbox])
  for (const { agreed } of [atAlice, atBob]) {
    expect(toHex(agreed.sas)).toBe(vectors.sas)
    expect(toHex(agreed.recoverySecret)).toBe(vectors.recoverySecret)
  }
  expect(toHex(open(atBob.state, atBob.message, now))).toBe(toHex(pad(hex(init.frames))))
})

/** Both sides, what was written, and one step after the other. */
class Replay {
  readonly states: Record<Name, State>
  readonly #wires: Uint8Array[] = []
  readonly #opened = new Map<number, Uint8Array>()

  constructor() {
    const { atAlice, atBob } = handshake()
    open(atBob.state, atBob.message, now)
    this.states = { alice: atAlice.state, bob: atBob.state }
  }

  take(step: Step): void {
    const state = this.states[step.by]
    switch (step.do) {
      case "seal":
        this.#seal(state, step)
        return
      case "open":
        this.#opened.set(step.message, open(state, this.#wires[step.message]!, step.now))
        return
      case "begin-pq":
        this.#begin(state, step)
        return
      case "answer-pq":
        this.#answer(state, step)
        return
      case "finish-pq":
        this.#finish(state, step)
    }
  }

  #seal(state: State, { frames, ratchetSecret, mid, wire }: Extract<Step, { do: "seal" }>): void {
    const written = seal(state, hex(frames), ratchetSecret === undefined ? undefined : hex(ratchetSecret))
    expect(toHex(written)).toBe(wire)
    expect(toHex(messageId(written))).toBe(mid)
    this.#wires.push(written)
  }

  #begin(state: State, { id, now, kemSeed }: Extract<Step, { do: "begin-pq" }>): void {
    Object.assign(state, { lastId: id, asked: { id, seed: hex(kemSeed) }, messages: 0, since: now })
  }

  #answer(state: State, { message, now, encapsulation }: Extract<Step, { do: "answer-pq" }>): void {
    const asked = this.#frame(message, "pq-ek")
    const id = Number(asked.id)
    const { ss } = encapsulate(hex(String(asked.encapsulationKey)), hex(encapsulation))
    Object.assign(state, { promised: { id, ss }, lastAnswered: id, messages: 0, since: now })
  }

  #finish(state: State, { message }: Extract<Step, { do: "finish-pq" }>): void {
    const answer = this.#frame(message, "pq-ct")
    const { asked } = state
    if (asked === undefined || asked.id !== answer.id) throw new Error("no step of this id is open")
    const ss = decapsulate(hex(String(answer.ciphertext)), asked.seed)
    Object.assign(state, { ready: { id: asked.id, ss }, asked: undefined })
  }

  #frame(message: number, kind: string) {
    const frame = readFrames(this.#opened.get(message)!).find((other) => other.kind === kind)
    if (frame === undefined) throw new Error(`no ${kind} in message ${message}`)
    return frame
  }
}

test("every message, the post-quantum step and both snapshots [S-21] to [S-50]", () => {
  const replay = new Replay()
  for (const step of vectors.steps) replay.take(step)
  for (const name of ["alice", "bob"] as const)
    expect(toHex(snapshotOf(replay.states[name]))).toBe(vectors.snapshots[name])
})

test("the frames of a step hold the key of its seed and the ciphertext of its answer [S-40] [S-41]", () => {
  const { steps } = vectors
  const begun = steps.find((step) => step.do === "begin-pq")!
  const answered = steps.find((step) => step.do === "answer-pq")!
  const sealed = steps
    .filter((step) => step.do === "seal")
    .map(({ frames }) => readFrames(pad(hex(frames)))[0]!)
  const [ek, ct] = [
    sealed.find(({ kind }) => kind === "pq-ek")!,
    sealed.find(({ kind }) => kind === "pq-ct")!,
  ]
  expect(ek).toEqual({ kind: "pq-ek", id: begun.id, encapsulationKey: toHex(kemKey(hex(begun.kemSeed))) })
  const { ct: ciphertext } = encapsulate(kemKey(hex(begun.kemSeed)), hex(answered.encapsulation))
  expect(ct).toEqual({ kind: "pq-ct", id: begun.id, ciphertext: toHex(ciphertext) })
})

test("no value is left unread", () => {
  expect(unreadOf("session.json")).toEqual([])
})
