import type {
  ChainKey,
  HeaderKey,
  KemSeed,
  MessageKey,
  PublicKey,
  RootKey,
  SecretKey,
  SharedSecret,
} from "../crypto/bytes.ts"

/** One side of a conversation between two devices. Never changed in place: each step returns the next [S-20]. */
export type Session = Waiting | Listening | Speaking

/** The bundle's owner before the first message opens: it knows no key of the peer's ratchet and cannot send. */
export type Waiting = SessionBase & { readonly kind: "waiting"; readonly own: RatchetPair }

/** The peer has sent since we last did: the next send makes a new key and a new chain. */
export type Listening = SessionBase & {
  readonly kind: "listening"
  readonly theirs: PublicKey
  /** How many messages our last chain had. */
  readonly previous: number
}

/** We send on a chain that the peer has not answered yet. */
export type Speaking = SessionBase & {
  readonly kind: "speaking"
  readonly own: RatchetPair
  readonly sending: SendingChain
}

export type Role = "initiator" | "responder"

/** The fields of a session in every state. */
export type SessionBase = {
  readonly role: Role
  /** First 32 bytes of the handshake's transcript hash: part of every message's authentication. */
  readonly transcript: Uint8Array
  readonly root: RootKey
  /** Header key of our next sending chain. */
  readonly nextHeaderKey: HeaderKey
  /** The peer's present chain; none before its first message. */
  readonly receiving: ReceivingChain | undefined
  /** The peer's next chain, of which only the header key is known. */
  readonly upcoming: Upcoming
  /** Oldest first. */
  readonly skipped: readonly SkippedKey[]
  readonly pq: PqState
}

export type RatchetPair = { readonly secretKey: SecretKey; readonly publicKey: PublicKey }

export type SendingChain = {
  readonly headerKey: HeaderKey
  readonly chainKey: ChainKey
  /** Messages sent on this chain, and on the one before. */
  readonly sent: number
  readonly previous: number
  /** Id of the post-quantum step mixed into this chain, or 0. */
  readonly kem: number
  /** The block of 16 tags that contains the next message's. */
  readonly tags: Uint8Array
}

export type ReceivingChain = {
  readonly headerKey: HeaderKey
  readonly chainKey: ChainKey
  /** The lowest number not yet received or skipped. */
  readonly received: number
  readonly window: TagWindow
}

export type Upcoming = { readonly headerKey: HeaderKey; readonly window: TagWindow }

/** Tags of the next 16 to 31 messages of a chain, in whole blocks of 16 tags (256 bytes) from block `first` on. */
export type TagWindow = { readonly first: number; readonly blocks: readonly Uint8Array[] }

/** Key of a message that was skipped by a later one. */
export type SkippedKey = {
  readonly tag: Uint8Array
  readonly headerKey: HeaderKey
  readonly messageKey: MessageKey
  /** Unix seconds. */
  readonly storedAt: number
}

/** The post-quantum steps under way [S-40]. */
export type PqState = {
  /** Id of the last step that we started; 0 before the first. */
  readonly lastId: number
  readonly step: PqStep
  /** Secret of the peer's step, until the peer mixes it in. */
  readonly promised: PqSecret | undefined
  /** Id of the newest key of the peer's that we answered; 0 before the first. */
  readonly lastAnswered: number
  /** Messages both ways since we last started a step or answered the peer's. */
  readonly messages: number
  /** When that was, unix seconds; 0 until the first message opens. */
  readonly since: number
}

export type PqStep =
  | { readonly kind: "idle" }
  /** Our key was sent; the seed opens the answer. */
  | { readonly kind: "asked"; readonly id: number; readonly seed: KemSeed }
  /** The answer is here: our next new chain mixes it in. */
  | ({ readonly kind: "ready" } & PqSecret)

/** The transitions of a step of ours [S-40] [S-42]. */
export const PQ_TRANSITIONS = {
  idle: { "a step is due": "asked" },
  asked: { "its answer comes": "ready", "no answer came in its time": "asked" },
  ready: { "our next chain begins": "idle" },
} as const satisfies Record<PqStep["kind"], Readonly<Record<string, PqStep["kind"]>>>

export type PqSecret = { readonly id: number; readonly secret: SharedSecret }
