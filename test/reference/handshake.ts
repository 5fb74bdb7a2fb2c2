import { identityOf, initTag, readBundle, type Identity } from "./bundle.ts"
import { ascii, concat, int, zeros } from "./bytes.ts"
import { pairOf, rootStep, seal, type State } from "./ratchet.ts"
import { boxKey, decapsulate, encapsulate, Expand, H, HMAC, openBox, SB, XDH } from "./primitives.ts"

type Agreed = { psk: Uint8Array; mode: number; bundle: Uint8Array }

/** [S-12]: what both sides compute of the ephemeral agreements. */
function begin(
  { psk, mode, bundle }: Agreed,
  e: Uint8Array,
  ct: Uint8Array,
  agreed: (Uint8Array | undefined)[],
) {
  const th1 = H(ascii("mqttchat/1 hs1"), int(mode, 1), bundle, e, ct)
  const prk0 = HMAC(psk, ...agreed.map(present))
  return { th1, prk0, identityKey: Expand(prk0, concat(ascii("mqttchat/1 id"), th1), 32) }
}

function finish({ th1, prk0 }: ReturnType<typeof begin>, idc: Uint8Array, dh1: Uint8Array | undefined) {
  const th2 = H(ascii("mqttchat/1 hs2"), th1, idc)
  const out = Expand(HMAC(prk0, present(dh1)), concat(ascii("mqttchat/1 session"), th2), 160)
  const [root, initiatorKey, ownerKey, recoverySecret, sas] = [0, 1, 2, 3, 4].map((at) =>
    out.slice(32 * at, 32 * at + 32),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  return { th: th2.slice(0, 32), root, initiatorKey, ownerKey, recoverySecret, sas }
}

function present(value: Uint8Array | undefined): Uint8Array {
  if (value === undefined) throw new Error("an agreement of zeros")
  return value
}

const fresh = {
  present: undefined,
  own: undefined,
  sending: undefined,
  theirs: undefined,
  previous: 0,
  ...{ lastId: 0, lastAnswered: 0, messages: 0, since: 0 },
  ...{ asked: undefined, ready: undefined, promised: undefined },
}

export type InitInput = Agreed & {
  readonly identity: Identity
  readonly inbox: Uint8Array
  readonly ephemeralSecret: Uint8Array
  readonly encapsulation: Uint8Array
  readonly ratchetSecret: Uint8Array
  readonly filling: Uint8Array
  readonly frames: Uint8Array
  readonly now: number
}

/** [S-11] [S-12] [S-24] */
export function initiate(input: InitInput) {
  const { identity, ephemeralSecret: secret } = input
  const owner = readBundle(input.bundle, input.now)
  const { ct, ss } = encapsulate(owner.kemKey, input.encapsulation)
  const e = boxKey(secret)
  const half = begin(input, e, ct, [XDH(secret, owner.identity.slice(32)), XDH(secret, owner.prekey), ss])
  const plain = concat(identityOf(identity), input.inbox, zeros(16))
  const idc = SB(plain, zeros(24), half.identityKey)
  const agreed = finish(half, idc, XDH(identity.boxSecret, owner.prekey))
  const own = pairOf(input.ratchetSecret)
  const step = rootStep(agreed.root, XDH(own.secret, owner.prekey))
  const state: State = {
    ...{ ...fresh, skipped: [], role: 0, th: agreed.th, root: step.root, own },
    ...{ nextHeaderKey: step.nextHeaderKey, upcoming: agreed.ownerKey },
    sending: { headerKey: agreed.initiatorKey, chainKey: step.chainKey, sent: 0, before: 0, kem: 0 },
  }
  const message = seal(state, input.frames)
  const init = concat(initTag(input.psk, input.bundle), e, ct, idc, message, input.filling)
  return { init, message, state, agreed }
}

export type OwnerSecrets = {
  readonly identity: Identity
  readonly prekeySecret: Uint8Array
  readonly kemSeed: Uint8Array
}

/** [S-13] [S-24]; the message in the INIT is not opened yet. */
export function respond(agreedBefore: Agreed, owner: OwnerSecrets, init: Uint8Array) {
  const { identity, prekeySecret, kemSeed } = owner
  const [e, ct, idc] = [init.slice(16, 48), init.slice(48, 1136), init.slice(1136, 1264)]
  const dh = [XDH(identity.boxSecret, e), XDH(prekeySecret, e), decapsulate(ct, kemSeed)]
  const half = begin(agreedBefore, e, ct, dh)
  const plain = openBox(idc, zeros(24), half.identityKey)
  if (plain === undefined || init.length !== 4096) throw new Error("the sealed identity does not open")
  const agreed = finish(half, idc, XDH(prekeySecret, plain.slice(32, 64)))
  const state: State = {
    ...{ ...fresh, skipped: [], role: 1, th: agreed.th, root: agreed.root, own: pairOf(prekeySecret) },
    ...{ nextHeaderKey: agreed.ownerKey, upcoming: agreed.initiatorKey },
  }
  const message = init.slice(1264, 3312)
  return { state, message, peer: plain.slice(0, 64), peerInbox: plain.slice(64, 96), agreed }
}
