import type { EncapsulationKey, KemCiphertext, KemSeed, Random } from "../crypto/bytes.ts"
import { decapsulate, encapsulate, kemKeyPair } from "../crypto/mlkem.ts"
import { KEM_SEED_BYTES } from "../crypto/sizes.ts"
import { DAY_S } from "../time-units.ts"
import type { Frame } from "../wire/frame.ts"
import { ratcheted } from "./state-updates.ts"
import { PQ_TRANSITIONS, type PqState, type Role, type Session } from "./state.ts"

/** The initiator starts the steps; the responder starts one only if the initiator does not [S-40]. */
const DUE: Record<Role, { readonly messages: number; readonly seconds: number }> = {
  initiator: { messages: 50, seconds: DAY_S },
  responder: { messages: 100, seconds: 2 * DAY_S },
}
const LAST_ID = 65_535

type PqFrame = Extract<Frame, { kind: "pq-ek" | "pq-ct" }>

/**
 * The frame that starts a post-quantum step, if one is due and none of ours is under way; it is sent as an ordinary
 * message. `now` in unix SECONDS [S-40].
 */
export function startStep(
  session: Session,
  now: number,
  random: Random,
): { frame: Frame; next: Session } | undefined {
  const { pq, kind, role } = session
  if (kind === "waiting" || pq.step.kind !== "idle" || !isDue(pq, role, now)) return undefined
  const seed = random(KEM_SEED_BYTES) as KemSeed
  const id = (pq.lastId % LAST_ID) + 1
  const frame: Frame = { kind: "pq-ek", id, encapsulationKey: kemKeyPair(seed) }
  const next = {
    ...pq,
    lastId: id,
    step: { kind: PQ_TRANSITIONS.idle["a step is due"], id, seed },
    messages: 0,
    since: now,
  }
  return { frame, next: ratcheted(session, next) }
}

function isDue(pq: PqState, role: Role, now: number): boolean {
  const due = DUE[role]
  return pq.messages >= due.messages || (pq.since !== 0 && now - pq.since >= due.seconds)
}

/**
 * Applies the peer's part of a step: its key is answered with `reply`, its answer makes our secret ready for our next
 * new chain. A key that is not canonical, or an answer without a request, changes nothing [S-41] [S-42].
 */
export function onPqFrame(
  session: Session,
  frame: PqFrame,
  random: Random,
): { next: Session; reply?: Frame } {
  return frame.kind === "pq-ek" ? answerKey(session, frame, random) : takeAnswer(session, frame)
}

function answerKey(
  session: Session,
  { id, encapsulationKey }: Extract<PqFrame, { kind: "pq-ek" }>,
  random: Random,
): { next: Session; reply?: Frame } {
  if (session.pq.promised?.id === id) return { next: session }
  const encapsulated = encapsulate(encapsulationKey as EncapsulationKey, random)
  if (encapsulated === undefined) return { next: session }
  const { ciphertext, secret } = encapsulated
  const pq = { ...session.pq, promised: { id, secret }, messages: 0 }
  return { next: ratcheted(session, pq), reply: { kind: "pq-ct", id, ciphertext } }
}

function takeAnswer(
  session: Session,
  { id, ciphertext }: Extract<PqFrame, { kind: "pq-ct" }>,
): { next: Session } {
  const { step } = session.pq
  if (step.kind !== "asked" || step.id !== id) return { next: session }
  const secret = decapsulate(step.seed, ciphertext as KemCiphertext)
  return {
    next: ratcheted(session, {
      ...session.pq,
      step: { kind: PQ_TRANSITIONS.asked["its answer comes"], id, secret },
    }),
  }
}
