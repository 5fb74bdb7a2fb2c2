import { SerialQueue } from "../../async/serial-queue.ts"
import { fromHex, toBase64url } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { formatAddresses, parseAddresses } from "../../wire/address.ts"
import { ID_BYTES } from "../../wire/topics.ts"
import {
  accountFor,
  isSameBroker,
  keepsAccount,
  withAddresses,
  withoutAccount,
} from "../connection/moved-broker.ts"
import { addressesOf } from "../connection/broker-addresses.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import { validityOf } from "../connection/renewal.ts"
import { catchUp } from "../connection/catch-up.ts"
import { isQueued, waitingTexts } from "../messages/deliveries.ts"
import { listedChanges } from "./outbox.ts"
import type { Params, Results } from "../state/commands.ts"
import type { BrokerConfig, ProfileConfig } from "../state/ports.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

const NAME = { kind: "name" } as const

/** The profile itself: its status, its broker and its backup. Code that few commands need is loaded on demand. */
export function profileCommands(
  parts: EngineParts,
): Handlers<"status" | "catch-up" | "ledger" | "reload-settings" | "set-broker" | "register" | "export"> {
  const { ports, broker, events, ledger, mailboxes } = parts
  const catchUpInTurn = shared(async () => {
    await broker.tryNow()
    const outcome = await catchUp(parts)
    if (outcome !== "offline") await parts.gapRequests.closeOld()
    return { isComplete: outcome === "complete" }
  })
  return {
    status: async () => {
      await broker.tryNow()
      const known = ports.config.broker()
      return {
        name: ports.name(),
        broker: known === undefined ? null : formatAddresses(addressesOf(known)),
        insecureTransport: known?.trust.kind === "insecure",
        connection: broker.status(),
        ...(await countWaiting(parts)),
        unread: await ports.store.countUnshown(),
        certificate: certificateOf(ports.config.credential()),
        dropped: events.dropped(),
        refusedMailboxes: mailboxes.refused(),
        daemon: false,
        clock: parts.time.doubt() ?? null,
        ledger: ledger.status(),
        locked: false,
      }
    },
    "catch-up": () => catchUpInTurn(),
    "reload-settings": () => {
      reloadSettings(parts)
      return Promise.resolve(null)
    },
    "set-broker": async (params) => {
      await setBroker(parts, params)
      return null
    },
    ledger: async ({ accept }) => {
      await ledger.check(accept)
      return ledger.status()
    },
    register: async (params) => (await import("../pairing/register.ts")).register(parts.pairing, params),
    export: async (params) => (await import("../backup/export.ts")).exportBackup(parts, params),
  }
}

function reloadSettings({ ports: { config }, broker }: EngineParts): void {
  const before = config.broker()
  config.reload()
  const after = config.broker()
  if (after !== undefined && !isSameBroker(before, after)) broker.brokerChanged()
}

async function setBroker({ ports, broker }: EngineParts, params: Params<"set-broker">): Promise<void> {
  const { config, random } = ports
  const addresses = parseAddresses(params.addresses)
  if (addresses === undefined)
    throw new Fault("usage", "this is not the address of a broker", "mqttchat config set broker HOST[:PORT]")
  const trust = trustOf(params)
  refuseLostTls(config, trust)
  const [known, credential] = [config.broker(), config.credential()]
  const account = accountFor(credential, params, () => toBase64url(random(ID_BYTES)))
  const chosen = withAddresses(known, addresses, trust)
  const leaves = account === undefined && known !== undefined && !keepsAccount(known, chosen)
  await broker.moveBroker(chosen, leaves ? withoutAccount(credential) : account)
}

function certificateOf(credential: StoredCredential | undefined): Results["status"]["certificate"] {
  const validity = credential?.kind === "device" ? validityOf(credential.certificate) : undefined
  return validity === undefined ? null : { validFrom: validity.begin, validTo: validity.end }
}

/** One run at a time. Calls that come during a run share the next one, which sees what came since. */
function shared<T>(run: () => Promise<T>): () => Promise<T> {
  const runs = new SerialQueue()
  let next: Promise<T> | undefined
  return () => {
    next ??= runs.run(() => {
      next = undefined
      return run()
    })
    return next
  }
}

function trustOf({ pin, insecureTransport }: Params<"set-broker">): BrokerConfig["trust"] {
  if (insecureTransport !== true) return pin === null ? NAME : { kind: "pin", pin: fromHex(pin) }
  if (pin === null) return { kind: "insecure" }
  throw new Fault("usage", "a broker without TLS has no pin", "mqttchat config set broker HOST --pin PIN")
}

/** A profile with TLS stays with TLS, and a certificate can be shown in TLS only [P-28]. */
function refuseLostTls({ broker, credential }: ProfileConfig, trust: BrokerConfig["trust"]): void {
  if (trust.kind !== "insecure") return
  const known = broker()?.trust.kind ?? "insecure"
  const account = credential()?.kind ?? "account"
  if (known === "insecure" && account === "account") return
  throw new Fault("config", "this profile is at a broker with TLS", "mqttchat --profile OTHER init")
}

async function countWaiting(parts: EngineParts): Promise<{ queued: number; undelivered: number }> {
  const changes = await listedChanges(parts)
  const waiting = [...waitingTexts(parts.queue.state()), ...changes]
  return { queued: waiting.filter(isQueued).length, undelivered: waiting.length }
}
