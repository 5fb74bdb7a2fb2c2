import { lstatSync } from "node:fs"
import { basename, dirname } from "node:path"
import * as v from "valibot"
import { Fault } from "./errors.ts"
import { homeFolder } from "./os-user.ts"
import { diskFault } from "./fs/disk-fault.ts"
import { makePrivateFolder } from "./fs/private-folder.ts"
import { readIfExists } from "./fs/read-file.ts"
import { syncFolderNow } from "./fs/sync-folder.ts"

/** Our settings are a few hundred bytes; a larger file is not ours. */
const SETTINGS_BYTES_MAX = 65_536
/** A host name is at most 253 characters (RFC 1035). */
const HOST_MAX = 253
const NAME_MAX = 64
/** A certificate with a long RSA key and many extensions, as PEM. */
const ANCHOR_MAX = 16_384
/** As many as an address can have (wire/address.ts), without the first. */
const OTHERS_MAX = 4

/** More is no limit: a daemon stores some thousand messages a second, and the store has at most some gigabytes. */
export const UNVERIFIED_MAX = { unverifiedPerHour: 10_000_000, unverifiedMebibytes: 65_536 } as const
/** A value that is not in the file is the default of the engine (`UNVERIFIED_LIMITS`). */
const positive = v.pipe(v.number(), v.integer(), v.minValue(1))

const endpoint = {
  host: v.pipe(v.string(), v.minLength(1), v.maxLength(HOST_MAX)),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
}

const BrokerFields = v.strictObject({
  ...endpoint,
  /** Its other nodes. */
  others: v.exactOptional(v.pipe(v.array(v.strictObject(endpoint)), v.minLength(1), v.maxLength(OTHERS_MAX))),
  /** Where guests connect, if elsewhere. */
  guests: v.exactOptional(v.strictObject(endpoint)),
  trust: v.variant("kind", [
    /** SHA-256(SPKI)[0:16] of the broker's authority as hex. */
    v.strictObject({
      kind: v.literal("pin"),
      pin: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
      /** PEM of the certificate that had this key last time. */
      anchor: v.exactOptional(v.pipe(v.string(), v.maxLength(ANCHOR_MAX))),
    }),
    v.strictObject({ kind: v.literal("name") }),
    /** Without TLS, as the user asked for. */
    v.strictObject({ kind: v.literal("insecure") }),
  ]),
  /** The registrar's X25519 key, 32 bytes as base64url. */
  registrar: v.exactOptional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/))),
  /** The protocol that worked last. */
  mqttVersion: v.exactOptional(v.picklist([4, 5])),
  /** The largest packet that it took last, in bytes. */
  maximumPacketSize: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
})

/** A registrar gives certificates, which a client can show in TLS only. */
const BrokerSchema = v.pipe(
  BrokerFields,
  v.check(
    ({ trust, registrar }) => trust.kind !== "insecure" || registrar === undefined,
    "a broker without TLS has no registrar",
  ),
)

const SettingsSchema = v.strictObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX)),
  broker: v.exactOptional(BrokerSchema),
  /** The broker is this laptop's own. */
  here: v.boolean(),
  /** A command that finds no owner of the profile starts a daemon. */
  onDemand: v.exactOptional(v.boolean()),
  /** Messages that a contact who was never verified may send in an hour, and leave here in all. */
  unverifiedPerHour: v.exactOptional(v.pipe(positive, v.maxValue(UNVERIFIED_MAX.unverifiedPerHour))),
  unverifiedMebibytes: v.exactOptional(v.pipe(positive, v.maxValue(UNVERIFIED_MAX.unverifiedMebibytes))),
})

/** What a profile stores in plain text. It holds no secret. */
export type Settings = Readonly<v.InferOutput<typeof SettingsSchema>>

/** What is at the path. */
export type SettingsFile =
  | { readonly kind: "whole"; readonly settings: Settings }
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly why: string }

/** Fault `io` for what cannot be read. */
export function lookAtSettings(path: string): SettingsFile {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return { kind: "damaged", why: "it is a folder" }
  const text = readIfExists(path)?.toString("utf8")
  if (text === undefined) return { kind: "missing" }
  const checked = check(text)
  return checked.success
    ? { kind: "whole", settings: checked.output }
    : { kind: "damaged", why: checked.issues[0].message }
}

/** The settings, or undefined if there are none. Refuses a damaged file: Fault `config`. */
export function readSettings(path: string): Settings | undefined {
  const found = lookAtSettings(path)
  if (found.kind === "damaged") throw damaged(path, found.why)
  return found.kind === "whole" ? found.settings : undefined
}

/** The same for who only wants to know something of them: undefined also for a damaged file. */
export function wholeSettings(path: string): Settings | undefined {
  const found = lookAtSettings(path)
  return found.kind === "whole" ? found.settings : undefined
}

/** Undefined for a text that is not the settings of a profile. */
export function parseSettings(text: string): Settings | undefined {
  const checked = check(text)
  return checked.success ? checked.output : undefined
}

function check(text: string): v.SafeParseResult<typeof SettingsSchema> {
  return v.safeParse(SettingsSchema, text.length > SETTINGS_BYTES_MAX ? undefined : parseJson(text))
}

/** Replaces the file as a whole (0600, atomically). Refuses if the present one is damaged: Fault `config`. */
export async function writeSettings(path: string, settings: Settings): Promise<void> {
  const { default: Conf } = await loadConf(path)
  const checked = v.safeParse(SettingsSchema, settings)
  if (!checked.success)
    throw new Fault("bug", `settings that cannot be read back: ${checked.issues[0].message}`)
  makePrivateFolder(dirname(path))
  readSettings(path)
  try {
    const conf = new Conf<Settings>({
      cwd: dirname(path),
      configName: basename(path, ".json"),
      configFileMode: 0o600,
    })
    conf.store = checked.output
    // It syncs the file, and not the name that it gives it.
    syncFolderNow(dirname(path))
  } catch (cause) {
    throw diskFault(cause, `write ${path}`)
  }
}

/** A part of it asks for the home folder as it is loaded, and fails for a user without one; it is not used there. */
async function loadConf(path: string): Promise<typeof import("conf")> {
  try {
    homeFolder(process.env)
  } catch {
    process.env["HOME"] = dirname(path)
  }
  return import("conf")
}

/** The value, or undefined for what is not JSON: no settings are undefined, so the schema refuses it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(path: string, why: string): Fault {
  return new Fault(
    "config",
    `the settings in ${path} are damaged: ${why}`,
    `mqttchat status, which makes them again from the message store`,
  )
}
