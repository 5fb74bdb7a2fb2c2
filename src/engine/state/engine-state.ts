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
import type { LoadedState, StoredWork } from "../../store/message-store.ts"
import { allAtOnce, LazyMap, oneByOne } from "./lazy-map.ts"
import type { ContactId, ConversationId, DeviceId } from "../../store/ids.ts"

/** All that the engine knows: what waits, and of what grows with the contacts what was needed so far. */
export type EngineState = OutgoingIndex & {
  readonly contacts: LazyMap<ContactId, ContactRecord>
  /** What is verified of a contact's account, even before all of it is. */
  readonly accounts: LazyMap<ContactId, Account>
  readonly devices: LazyMap<DeviceId, DeviceRecord>
  /** By rising id. A list is replaced, never changed. */
  readonly devicesByContact: LazyMap<ContactId, readonly DeviceId[]>
  readonly conversations: LazyMap<ConversationId, ConversationRecord>
  /** The conversation with each contact. */
  readonly directs: LazyMap<ContactId, ConversationId>
  readonly sessions: LazyMap<DeviceId, Session>
  /** A record of parts is replaced, never changed. */
  readonly deviceParts: LazyMap<DeviceId, Partial<DeviceParts>>
  /** Devices whose handshake is not finished [D-71]. */
  readonly unfinished: Set<DeviceId>
  /** By INIT tag in hex. */
  readonly bundles: LazyMap<string, OpenBundleRecord>
  /** The tags of the recovery bundles of a device. A list is replaced, never changed. */
  readonly bundlesByDevice: LazyMap<DeviceId, readonly string[]>
  /** Those of no device, by INIT tag in hex. */
  readonly offers: Map<string, OpenBundleRecord>
  /** Of those that can be requested, by the tag of the request in hex. */
  readonly requestable: Map<string, OpenBundleRecord>
  readonly settings: Map<string, Uint8Array>
  /** Device by mailbox in hex. */
  readonly mailboxes: LazyMap<string, DeviceId>
  /** Texts that wait for earlier ones. */
  readonly held: Map<DeviceId, Map<number, HeldRecord>>
  readonly introductions: Map<IntroductionId, IntroductionRecord>
  /** What the disk holds for which something is to be done. */
  readonly waiting: StoredWork
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
  const { rows } = opening
  const state: EngineState = {
    contacts: new LazyMap(rows.contacts),
    accounts: new LazyMap(oneByOne((contact) => readAccount(opening.linksOf(contact)))),
    devices: new LazyMap(rows.devices),
    devicesByContact: new LazyMap(oneByOne(rows.devicesOf)),
    conversations: new LazyMap(rows.conversations),
    directs: new LazyMap(oneByOne(rows.directWith)),
    sessions: new LazyMap(oneByOne((device) => readSession(opening.snapshotOf(device)))),
    deviceParts: new LazyMap(rows.deviceParts),
    unfinished: new Set(opening.unfinished),
    bundles: new LazyMap(rows.bundles),
    bundlesByDevice: new LazyMap(oneByOne(rows.bundlesOf)),
    offers: new Map(),
    requestable: new Map(),
    settings: new Map(opening.settings),
    mailboxes: new LazyMap(allAtOnce(rows.mailboxes)),
    ...emptyIndex(),
    held: new Map(),
    introductions: new Map(opening.introductions.map((record) => [record.id, record])),
    waiting: opening.waiting,
    nextIntroduction: opening.nextIntroduction,
    ownChain: opening.ownLinks.length === 0 ? undefined : readChain(opening.ownLinks),
    nextContact: opening.nextContact,
    nextDevice: opening.nextDevice,
    nextConversation: opening.nextConversation,
    nextOutgoing: opening.nextOutgoing,
    nextEvent: opening.nextEvent,
  }
  for (const outgoing of opening.outgoing) apply(state, { kind: "outgoing", outgoing })
  for (const held of opening.held) apply(state, { kind: "held", held })
  for (const bundle of opening.offers) apply(state, { kind: "open-bundle", bundle })
  return state
}

/** Records and sessions are never changed in place, so the copy shares them. */
export function copyState(state: EngineState): EngineState {
  return {
    ...state,
    contacts: state.contacts.copy(),
    accounts: state.accounts.copy(),
    devices: state.devices.copy(),
    devicesByContact: state.devicesByContact.copy(),
    conversations: state.conversations.copy(),
    directs: state.directs.copy(),
    sessions: state.sessions.copy(),
    deviceParts: state.deviceParts.copy(),
    unfinished: new Set(state.unfinished),
    bundles: state.bundles.copy(),
    bundlesByDevice: state.bundlesByDevice.copy(),
    offers: new Map(state.offers),
    requestable: new Map(state.requestable),
    settings: new Map(state.settings),
    mailboxes: state.mailboxes.copy(),
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
  if (part !== "shownAccount") return
  if (value.until > 0) state.unfinished.add(device)
  else state.unfinished.delete(device)
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
  if (change.kind === "open-bundle") putBundle(state, change.bundle)
  else forgetBundle(state, toHex(change.tag))
}

function putBundle(state: EngineState, bundle: OpenBundleRecord): void {
  const { device, requestTag } = bundle
  const tag = toHex(bundle.tag)
  forgetBundle(state, tag)
  state.bundles.set(tag, bundle)
  if (requestTag.length > 0) state.requestable.set(toHex(requestTag), bundle)
  if (device === null) state.offers.set(tag, bundle)
  else state.bundlesByDevice.set(device, [...(state.bundlesByDevice.get(device) ?? []), tag])
}

function forgetBundle(state: EngineState, tag: string): void {
  const bundle = state.bundles.get(tag)
  if (bundle === undefined) return
  const { device, requestTag } = bundle
  state.bundles.delete(tag)
  state.requestable.delete(toHex(requestTag))
  state.offers.delete(tag)
  if (device === null) return
  const others = state.bundlesByDevice.get(device) ?? []
  state.bundlesByDevice.set(
    device,
    others.filter((other) => other !== tag),
  )
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
  if (before !== undefined && before.contact !== contact) removeFromContact(state, before)
  const others = state.devicesByContact.get(contact) ?? []
  if (!others.includes(id))
    state.devicesByContact.set(
      contact,
      [...others, id].sort((a, b) => a - b),
    )
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
  state.unfinished.delete(id)
  state.sessions.delete(id)
  state.held.delete(id)
  for (const { seq } of outgoingOf(state, id)) removeOutgoing(state, seq)
  for (const tag of state.bundlesByDevice.get(id) ?? []) forgetBundle(state, tag)
  state.bundlesByDevice.delete(id)
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
