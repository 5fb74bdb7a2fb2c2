import type { PublicKey } from "../crypto/bytes.ts"
import type {
  Always,
  Listening,
  PqState,
  RatchetPair,
  SendingChain,
  Session,
  Speaking,
  Waiting,
} from "./state.ts"

// Every state is made here, field by field and in one order. V8 takes fifty times as long to spread an object that was
// itself made by a spread, which at each message came to a tenth of the whole.

/** The bundle's owner before anything opened. */
export function waiting(always: Always, own: RatchetPair): Waiting {
  const { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq } = always
  return { phase: "waiting", role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq, own }
}

/** The peer has spoken with `theirs`, after `previous` messages on our last chain. */
export function listening(always: Always, theirs: PublicKey, previous: number): Listening {
  const { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq } = always
  const phase = "listening"
  return { phase, role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq, theirs, previous }
}

/** We speak with `own` on the chain `sending`. */
export function speaking(always: Always, own: RatchetPair, sending: SendingChain): Speaking {
  const { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq } = always
  const phase = "speaking"
  return { phase, role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq, own, sending }
}

/** The session after a message that began no new chain of the peer's. */
export function heard(session: Session, news: Pick<Always, "receiving" | "skipped" | "pq">): Session {
  const { role, transcript, root, nextHeaderKey, upcoming } = session
  const { receiving, skipped, pq } = news
  const always = { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq }
  switch (session.phase) {
    case "waiting":
      return waiting(always, session.own)
    case "listening":
      return listening(always, session.theirs, session.previous)
    case "speaking":
      return speaking(always, session.own, session.sending)
  }
}

/** The session with its post-quantum steps one step on. */
export function stepped(session: Session, pq: PqState): Session {
  const { receiving, skipped } = session
  return heard(session, { receiving, skipped, pq })
}

/** The speaking session after one message more on its chain. */
export function spoken(session: Speaking, sending: SendingChain): Speaking {
  const { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped } = session
  const pq = counted(session.pq, session.pq.since)
  return speaking(
    { role, transcript, root, nextHeaderKey, receiving, upcoming, skipped, pq },
    session.own,
    sending,
  )
}

/** One message more, either way; `now` in unix seconds dates the first [S-40]. */
export function counted(pq: PqState, now: number): PqState {
  const { lastId, step, promised, messages, since } = pq
  return { lastId, step, promised, messages: messages + 1, since: since === 0 ? now : since }
}
