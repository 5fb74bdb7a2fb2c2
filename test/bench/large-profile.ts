import { createCipheriv } from "node:crypto"
import type { ContactId, ConversationId, DeviceId } from "../../src/store/ids.ts"
import type { LoadedState, Store } from "../../src/store/message-store.ts"
import type { NewMessage } from "../../src/store/message-records.ts"
import {
  NEW_CONVERSATION,
  type DevicePartWrite,
  type DeviceParts,
  type Write,
} from "../../src/store/records.ts"

const PEOPLE_PER_COMMIT = 500
const PER_COMMIT = 5_000
const BEGAN_AT = 1_700_000_000_000
const MINUTE_MS = 60_000
/** The first contact writes this part of all messages. */
const OF_THE_FIRST = 0.1
const UNREAD = 100
const WORDS = ["where", "when", "tomorrow", "evening", "train", "bread", "key", "garden", "thanks", "late"]

type Person = {
  readonly contact: ContactId
  readonly conversation: ConversationId
  readonly device: DeviceId
}

/** The same bytes in each run. */
const stream = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16))
const seeded = (bytes: number): Uint8Array => new Uint8Array(stream.update(Buffer.alloc(bytes)))
const below = (count: number): number => Buffer.from(seeded(4)).readUInt32LE() % count

function personWrites(state: LoadedState, { contact, conversation, device }: Person): Write[] {
  const [like] = state.contacts
  const machine = state.devices.find(({ contact: of }) => of === like?.id)
  if (like === undefined || machine === undefined) throw new Error("the profile has no contact yet")
  const snapshot = state.snapshotOf(machine.id)
  return [
    { kind: "contact", contact: { ...like, id: contact, name: `person ${contact}`, accountId: seeded(32) } },
    { kind: "conversation", conversation: { ...NEW_CONVERSATION, id: conversation, contact } },
    { kind: "account-links", contact, links: state.linksOf(like.id) },
    {
      kind: "device",
      device: {
        ...machine,
        id: device,
        contact,
        key: seeded(64),
        mailbox: seeded(16),
        peerInbox: seeded(32),
      },
    },
    ...(snapshot === undefined ? [] : [{ kind: "session", device, snapshot } as const]),
    ...partWrites(state.deviceParts.get(machine.id) ?? {}, device),
    ...state.openBundles
      .filter(({ device: of }) => of === machine.id)
      .map((bundle): Write => ({ kind: "open-bundle", bundle: { ...bundle, tag: seeded(16), device } })),
  ]
}

function partWrites(parts: Partial<DeviceParts>, device: DeviceId): Write[] {
  return Object.entries(parts).map(
    ([part, value]) => ({ kind: "device-part", device, part, value }) as DevicePartWrite,
  )
}

function messageWrites(people: readonly Person[], number: number, total: number): Write[] {
  const person = people[below(10) < 10 * OF_THE_FIRST ? 0 : below(people.length)]
  if (person === undefined) return []
  const { contact, conversation, device } = person
  const at = BEGAN_AT + number * MINUTE_MS
  const text = Array.from({ length: 8 }, () => WORDS[below(WORDS.length)]).join(" ")
  const message = {
    ...({ conversation, author: null, id: seeded(8), digest: seeded(16), kind: "text", text } as const),
    ...{
      sentAt: at,
      storedAt: at,
      timer: 0,
      expiresAt: 0,
      replyTo: undefined,
      shown: number < total - UNREAD,
    },
  }
  if (below(2) === 0) return [ourMessage({ ...message, state: "delivered", shown: true }, contact, at)]
  return [
    { kind: "message", message: { ...message, author: contact, state: "received" } },
    { kind: "received-frame", frame: { device, mid: seeded(8), at } },
  ]
}

function ourMessage(message: NewMessage, contact: ContactId, at: number): Write {
  return { kind: "message", message, recipients: [{ contact, state: "delivered", at }] }
}

/**
 * Fills a store as if its user had paired with as many people more and written with them for years: each has what the first
 * contact has. The same numbers make the same rows.
 */
export async function fillStore(store: Store, contacts: number, messages: number): Promise<void> {
  const state = await store.load()
  const { nextContact, nextConversation, nextDevice } = state
  const people = Array.from({ length: contacts }, (_, n) => ({
    contact: nextContact + n,
    conversation: (nextConversation + n) as ConversationId,
    device: nextDevice + n,
  }))
  for (let done = 0; done < contacts; done += PEOPLE_PER_COMMIT)
    await store.commit(
      people.slice(done, done + PEOPLE_PER_COMMIT).flatMap((person) => personWrites(state, person)),
    )
  for (let done = 0; done < messages; done += PER_COMMIT) {
    const numbers = Array.from({ length: Math.min(PER_COMMIT, messages - done) }, (_, n) => done + n)
    await store.commit(numbers.flatMap((number) => messageWrites(people, number, messages)))
  }
}
