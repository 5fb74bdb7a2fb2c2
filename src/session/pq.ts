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
/** Ids go round: up to half of them ahead is newer, the others are older [S-41]. */
const AHEAD_MAX = 32_767

type PqFrame = Extract<Frame, { kind: "pq-ek" | "pq-ct" }>

/**
 * The frame that starts a post-quantum step, if one is due and none of ours is under way; it is sent as an ordinary
 * message. A step that was not answered in its time is given up for a new one. `now` in unix SECONDS [S-40].
 */
export function startStep(
  session: Session,
  now: number,
  random: Random,
): { frame: Frame; next: Session } | undefined {
  const { pq, kind, role } = session
  const { step } = pq
  if (kind === "waiting" || step.kind === "ready" || !isDue(pq, role, now)) return undefined
  const seed = random(KEM_SEED_BYTES) as KemSeed
  const id = (pq.lastId % LAST_ID) + 1
  const frame: Frame = { kind: "pq-ek", id, encapsulationKey: kemKeyPair(seed) }
  const { idle, asked } = PQ_TRANSITIONS
  const next = {
    ...pq,
    lastId: id,
    step: {
      kind: step.kind === "idle" ? idle["a step is due"] : asked["no answer came in its time"],
      id,
      seed,
    },
    messages: 0,
    since: now,
  }
  return { frame, next: ratcheted(session, next) }
}

/** Only time gives up a step: more messages than this can be on their way before an answer. */
function isDue({ step, messages, since }: PqState, role: Role, now: number): boolean {
  const due = DUE[role]
  return (step.kind === "idle" && messages >= due.messages) || (since !== 0 && now - since >= due.seconds)
}

/**
 * Applies the peer's part of a step: its key is answered with `reply`, its answer makes our secret ready for our next
 * new chain. A key that is not canonical or not new, or an answer without a request, changes nothing. `now` in unix
 * SECONDS [S-41] [S-42].
 */
export function onPqFrame(
  session: Session,
  frame: PqFrame,
  now: number,
  random: Random,
): { next: Session; reply?: Frame } {
  return frame.kind === "pq-ek" ? answerKey(session, frame, now, random) : takeAnswer(session, frame)
}

function answerKey(
  session: Session,
  { id, encapsulationKey }: Extract<PqFrame, { kind: "pq-ek" }>,
  now: number,
  random: Random,
): { next: Session; reply?: Frame } {
  if (!isNewer(id, session.pq.lastAnswered)) return { next: session }
  const encapsulated = encapsulate(encapsulationKey as EncapsulationKey, random)
  if (encapsulated === undefined) return { next: session }
  const { ciphertext, secret } = encapsulated
  const pq = { ...session.pq, promised: { id, secret }, lastAnswered: id, messages: 0, since: now }
  return { next: ratcheted(session, pq), reply: { kind: "pq-ct", id, ciphertext } }
}

/** A key that was overtaken by a newer one must not replace the newer one's secret. */
function isNewer(id: number, answered: number): boolean {
  const ahead = (id - answered + LAST_ID) % LAST_ID
  return answered === 0 || (ahead > 0 && ahead <= AHEAD_MAX)
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
