import type { AccountLink } from "../../store/account-record.ts"
import { judgedChain, type AccountChain } from "../../account/account-chain.ts"
import { readLinks } from "../../account/chain-link.ts"
import { concat, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { decodeSession } from "../../session/snapshot.ts"
import type { Session } from "../../session/state.ts"
import type {
  ContactRecord,
  ConversationRecord,
  DeviceParts,
  DeviceRecord,
  HeldRecord,
  OpenBundleRecord,
} from "../../store/records.ts"
import type { IntroductionId, IntroductionRecord } from "../../store/introduction-record.ts"
import type { Account } from "./account.ts"
import type { Change } from "./decision.ts"
import { reindexed } from "./mailbox-index.ts"
import {
  copyIndex,
  emptyIndex,
  outgoingOf,
  putOutgoing,
  removeOutgoing,
  type OutgoingIndex,
} from "./outgoing-index.ts"
import type { LoadedState } from "../../store/message-store.ts"
import { LazyMap } from "./lazy-map.ts"
import type { ContactId, ConversationId, DeviceId } from "../../store/ids.ts"

/** All that the engine holds in memory: `LoadedState` with indexes; sessions and accounts once they were needed. */
export type EngineState = OutgoingIndex & {
  readonly contacts: Map<ContactId, ContactRecord>
  /** What is verified of a contact's account, even before all of it is. */
  readonly accounts: LazyMap<ContactId, Account>
  readonly devices: Map<DeviceId, DeviceRecord>
  /** By rising id. A list is replaced, never changed. */
  readonly devicesByContact: Map<ContactId, readonly DeviceId[]>
  readonly conversations: Map<ConversationId, ConversationRecord>
  /** The conversation with each contact. */
  readonly directs: Map<ContactId, ConversationId>
  readonly sessions: LazyMap<DeviceId, Session>
  /** A record of parts is replaced, never changed. */
  readonly deviceParts: Map<DeviceId, Partial<DeviceParts>>
  /** By INIT tag in hex. */
  readonly bundles: Map<string, OpenBundleRecord>
  /** Of those that can be requested, by the tag of the request in hex. */
  readonly requestable: Map<string, OpenBundleRecord>
  readonly settings: Map<string, Uint8Array>
  /** Device by mailbox in hex. */
  readonly mailboxes: Map<string, DeviceId>
  /** Texts that wait for earlier ones. */
  readonly held: Map<DeviceId, Map<number, HeldRecord>>
  readonly introductions: Map<IntroductionId, IntroductionRecord>
  nextIntroduction: IntroductionId
  /** Our own account; undefined only in a store that no engine has opened yet. */
  ownChain: AccountChain | undefined
  nextContact: ContactId
  nextDevice: DeviceId
  nextConversation: ConversationId
  nextOutgoing: number
  nextEvent: number
}

/** Faults `damaged-database`, then or when it is first asked for, if a stored session or account cannot be read. */
export function openState(opening: LoadedState): EngineState {
  const state: EngineState = {
    contacts: new Map(),
    accounts: new LazyMap((contact) => readAccount(opening.linksOf(contact))),
    devices: new Map(),
    devicesByContact: new Map(),
    conversations: new Map(),
    directs: new Map(),
    sessions: new LazyMap((device) => readSession(opening.snapshotOf(device))),
    deviceParts: new Map(opening.deviceParts),
    bundles: new Map(),
    requestable: new Map(),
    settings: new Map(opening.settings),
    mailboxes: new Map(),
    ...emptyIndex(),
    held: new Map(),
    introductions: new Map(opening.introductions.map((record) => [record.id, record])),
    nextIntroduction: opening.nextIntroduction,
    ownChain: opening.ownLinks.length === 0 ? undefined : readChain(opening.ownLinks),
    nextContact: opening.nextContact,
    nextDevice: opening.nextDevice,
    nextConversation: opening.nextConversation,
    nextOutgoing: opening.nextOutgoing,
    nextEvent: opening.nextEvent,
  }
  for (const contact of opening.contacts) apply(state, { kind: "contact", contact })
  for (const conversation of opening.conversations) apply(state, { kind: "conversation", conversation })
  for (const device of opening.devices) apply(state, { kind: "device", device })
  for (const outgoing of opening.outgoing) apply(state, { kind: "outgoing", outgoing })
  for (const held of opening.held) apply(state, { kind: "held", held })
  for (const bundle of opening.openBundles) apply(state, { kind: "open-bundle", bundle })
  return state
}

/** Records and sessions are never changed in place, so the copy shares them. */
export function copyState(state: EngineState): EngineState {
  return {
    ...state,
    contacts: new Map(state.contacts),
    accounts: state.accounts.copy(),
    devices: new Map(state.devices),
    devicesByContact: new Map(state.devicesByContact),
    conversations: new Map(state.conversations),
    directs: new Map(state.directs),
    sessions: state.sessions.copy(),
    deviceParts: new Map(state.deviceParts),
    bundles: new Map(state.bundles),
    requestable: new Map(state.requestable),
    settings: new Map(state.settings),
    mailboxes: new Map(state.mailboxes),
    ...copyIndex(state),
    held: new Map([...state.held].map(([device, held]) => [device, new Map(held)])),
    introductions: new Map(state.introductions),
  }
}

function readAccount(links: readonly AccountLink[]): Account | undefined {
  if (links.length === 0) return undefined
  const of = (branch: number) => links.filter((link) => link.branch === branch).map(({ link }) => link)
  const rival = of(1)
  return { chain: readChain(of(0)), rival: rival.length === 0 ? undefined : readChain(rival) }
}

function readChain(links: readonly Uint8Array[]): AccountChain {
  const read = readLinks(concat(...links))
  const chain = judgedChain(read.links)
  if (chain === undefined || read.end !== "whole")
    throw new Fault("damaged-database", "a stored account cannot be read")
  return chain
}

function readSession(snapshot: Uint8Array | undefined): Session | undefined {
  if (snapshot === undefined) return undefined
  const session = decodeSession(snapshot)
  if (session === undefined) throw new Fault("damaged-database", "a stored session cannot be read")
  return session
}

/** Applies to memory what the commit writes to disk; messages are on disk only. */
export function apply(state: EngineState, change: Change): void {
  switch (change.kind) {
    case "contact":
      state.contacts.set(change.contact.id, change.contact)
      state.nextContact = Math.max(state.nextContact, change.contact.id + 1)
      return
    case "forget-contact":
      forgetContact(state, change.id)
      return
    case "account":
    case "own-link":
      putLinks(state, change)
      return
    case "device":
    case "forget-device":
      changeDevice(state, change)
      return
    case "session":
    case "end-session":
      changeSession(state, change)
      return
    case "device-part":
      putPart(state, change)
      return
    case "outgoing":
      putOutgoing(state, change.outgoing)
      state.nextOutgoing = Math.max(state.nextOutgoing, change.outgoing.seq + 1)
      return
    case "outgoing-done":
      removeOutgoing(state, change.seq)
      return
    case "open-bundle":
    case "close-bundle":
      changeBundle(state, change)
      return
    case "setting":
      state.settings.set(change.key, change.value)
      return
    case "held":
    case "held-done":
    case "delete-waiting":
      applyHeld(state, change)
      return
    case "introduction":
    case "introduction-done":
      applyIntroduction(state, change)
      return
    case "event":
      state.nextEvent = Math.max(state.nextEvent, change.event.number + 1)
      return
    case "conversation":
      putConversation(state, change.conversation)
      return
    case "recipient":
    case "message":
    case "message-state":
    case "change":
    case "received-frame":
    case "shown":
    case "expire":
    case "move-timers":
    case "delete":
    case "adopt-history":
      return
  }
}

function putPart(state: EngineState, change: Extract<Change, { kind: "device-part" }>): void {
  const { device, part, value } = change
  const put = () => state.deviceParts.set(device, { ...state.deviceParts.get(device), [part]: value })
  if (part === "mailboxRotation") reindexed(state, device, put)
  else put()
}

function changeSession(
  state: EngineState,
  change: Extract<Change, { kind: "session" | "end-session" }>,
): void {
  if (change.kind === "session") state.sessions.set(change.device, change.session)
  else state.sessions.delete(change.device)
}

function changeBundle(
  state: EngineState,
  change: Extract<Change, { kind: "open-bundle" | "close-bundle" }>,
): void {
  if (change.kind === "close-bundle") {
    forgetBundle(state, toHex(change.tag))
    return
  }
  const { bundle } = change
  state.bundles.set(toHex(bundle.tag), bundle)
  if (bundle.requestTag.length > 0) state.requestable.set(toHex(bundle.requestTag), bundle)
}

function forgetBundle(state: EngineState, tag: string): void {
  const bundle = state.bundles.get(tag)
  if (bundle === undefined) return
  state.bundles.delete(tag)
  state.requestable.delete(toHex(bundle.requestTag))
}

function applyHeld(
  state: EngineState,
  change: Extract<Change, { kind: "held" | "held-done" | "delete-waiting" }>,
): void {
  if (change.kind === "delete-waiting") {
    for (const device of state.devicesByContact.get(change.contact) ?? []) editHeld(state, device, emptyAll)
    return
  }
  if (change.kind === "held")
    editHeld(state, change.held.device, (held) => held.set(change.held.number, change.held))
  else editHeld(state, change.device, (held) => held.delete(change.number))
}

function applyIntroduction(
  state: EngineState,
  change: Extract<Change, { kind: "introduction" | "introduction-done" }>,
): void {
  if (change.kind === "introduction") putIntroduction(state, change.introduction)
  else state.introductions.delete(change.id)
}

function putLinks(state: EngineState, change: Extract<Change, { kind: "account" | "own-link" }>): void {
  if (change.kind === "account") {
    state.accounts.set(change.contact, { chain: change.chain, rival: change.rival })
    return
  }
  const before = state.ownChain?.links.slice(0, change.link.number) ?? []
  state.ownChain = judgedChain([...before, change.link])
}

function putConversation(state: EngineState, conversation: ConversationRecord): void {
  const { id, contact } = conversation
  state.conversations.set(id, conversation)
  state.directs.set(contact, id)
  state.nextConversation = Math.max(state.nextConversation, id + 1) as ConversationId
}

function changeDevice(
  state: EngineState,
  change: Extract<Change, { kind: "device" | "forget-device" }>,
): void {
  if (change.kind === "device") putDevice(state, change.device)
  else forgetDevice(state, change.id)
}

function putDevice(state: EngineState, device: DeviceRecord): void {
  const { id, contact } = device
  const before = state.devices.get(id)
  if (before?.contact !== contact) {
    if (before !== undefined) removeFromContact(state, before)
    const others = state.devicesByContact.get(contact) ?? []
    state.devicesByContact.set(
      contact,
      [...others, id].sort((a, b) => a - b),
    )
  }
  reindexed(state, id, () => state.devices.set(id, device))
  state.nextDevice = Math.max(state.nextDevice, id + 1)
}

/** Forgets everything that refers to a contact, as the store does. */
function forgetContact(state: EngineState, id: ContactId): void {
  for (const device of state.devicesByContact.get(id) ?? []) forgetDevice(state, device)
  state.devicesByContact.delete(id)
  const direct = state.directs.get(id)
  if (direct !== undefined) state.conversations.delete(direct)
  state.directs.delete(id)
  state.contacts.delete(id)
  for (const { id: introduction, contact: about, initiator } of state.introductions.values()) {
    if (about === id || initiator === id) state.introductions.delete(introduction)
  }
  state.accounts.delete(id)
}

function removeFromContact(state: EngineState, { id, contact }: DeviceRecord): void {
  const left = (state.devicesByContact.get(contact) ?? []).filter((other) => other !== id)
  if (left.length === 0) state.devicesByContact.delete(contact)
  else state.devicesByContact.set(contact, left)
}

function forgetDevice(state: EngineState, id: DeviceId): void {
  const device = state.devices.get(id)
  if (device !== undefined) removeFromContact(state, device)
  reindexed(state, id, () => {
    state.devices.delete(id)
    state.deviceParts.delete(id)
  })
  state.sessions.delete(id)
  state.held.delete(id)
  for (const { seq } of outgoingOf(state, id)) removeOutgoing(state, seq)
  for (const [tag, bundle] of state.bundles) {
    if (bundle.device === id) forgetBundle(state, tag)
  }
}

function putIntroduction(state: EngineState, introduction: IntroductionRecord): void {
  state.introductions.set(introduction.id, introduction)
  state.nextIntroduction = Math.max(state.nextIntroduction, introduction.id + 1)
}

function emptyAll(held: Map<number, HeldRecord>): void {
  for (const [number, record] of held) held.set(number, { ...record, text: undefined })
}

function editHeld(state: EngineState, device: DeviceId, edit: (held: Map<number, HeldRecord>) => void): void {
  const held = state.held.get(device) ?? new Map<number, HeldRecord>()
  edit(held)
  if (held.size === 0) state.held.delete(device)
  else state.held.set(device, held)
}
