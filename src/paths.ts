import { isAbsolute, join } from "node:path"
import { Fault } from "./errors.ts"
import { homeFolder, userId } from "./os-user.ts"

/** A name is a file name on every system and fits into a socket path. */
const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

/** sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included. */
const SOCKET_PATH_BYTES_MAX = 100
/** Short, and the same for every process of this machine: TMPDIR may differ. */
const SHORT_FOLDER = "/tmp"

/** As Node has it where users have no number. */
const NO_USER_ID = -1

/** The environment variables that say where files are. */
export type PathsEnv = Readonly<Record<string, string | undefined>>

export type ProfilePaths = {
  /** Folder of everything else here but the settings. */
  readonly root: string
  readonly keyFile: string
  readonly database: string
  readonly settings: string
  readonly socket: string
  readonly lock: string
  /** The token that a program shows to the daemon over TCP. */
  readonly apiToken: string
  /** Folder of the embedded broker: certificates, journal, registrar. */
  readonly broker: string
  readonly brokerLock: string
  /** Socket where the operator's other commands reach the running broker. */
  readonly brokerSocket: string
}

/**
 * Where a profile's files are. With MQTTCHAT_HOME all of them are below one folder; otherwise settings and data follow
 * the XDG Base Directory Specification. Its runtime folder is not used: a cron job or a system service does not
 * have it, and would look for the owner's socket in another place than its owner. Touches no disk.
 * Refuses a name that is not 1 to 32 of a-z, 0-9 and hyphen, not starting with a hyphen: Fault `usage`.
 */
export function profilePaths(env: PathsEnv, profile: string): ProfilePaths {
  if (!PROFILE_NAME.test(profile)) {
    throw new Fault(
      "usage",
      "a profile name is 1 to 32 of the characters a-z, 0-9 and -, and does not start with -",
      "mqttchat --profile alice",
    )
  }
  const home = absolute(env["MQTTCHAT_HOME"])
  const { root, config } = home === undefined ? xdgFolders(env, profile) : oneFolder(home, profile)
  return {
    root,
    keyFile: join(root, "identity.key"),
    database: join(root, "messages.db"),
    settings: join(config, "settings.json"),
    socket: socketPath(join(root, "owner.sock")),
    lock: join(root, "owner.lock"),
    apiToken: join(root, "api.token"),
    broker: join(root, "broker"),
    brokerLock: join(root, "broker.lock"),
    brokerSocket: socketPath(join(root, "broker.sock")),
  }
}

type Folders = { readonly root: string; readonly config: string }

function oneFolder(home: string, profile: string): Folders {
  const root = join(home, profile)
  return { root, config: root }
}

function xdgFolders(env: PathsEnv, profile: string): Folders {
  const data = absolute(env["XDG_DATA_HOME"]) ?? join(homeFolder(env), ".local", "share")
  const config = absolute(env["XDG_CONFIG_HOME"]) ?? join(homeFolder(env), ".config")
  return { root: join(data, "mqttchat", profile), config: join(config, "mqttchat", profile) }
}

/**
 * Where compiled code is kept between processes, for all profiles: as the same specification says, or with MQTTCHAT_HOME
 * below it, under a name that no profile can have.
 */
export function cacheFolder(env: PathsEnv): string {
  const cache = absolute(env["XDG_CACHE_HOME"])
  if (cache !== undefined) return join(cache, "mqttchat")
  const home = absolute(env["MQTTCHAT_HOME"])
  return home === undefined ? join(homeFolder(env), ".cache", "mqttchat") : join(home, ".cache")
}

/** The specification tells us to ignore a relative path. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined
}

/**
 * The path itself, or a short one that only this path maps to. Another user could create the folder of the short one
 * first, so both server and client check its owner.
 */
function socketPath(socket: string): string {
  if (Buffer.byteLength(socket) <= SOCKET_PATH_BYTES_MAX) return socket
  // Loaded here: it is rarely needed, and would slow down the shortest commands.
  const { createHash } = process.getBuiltinModule("node:crypto")
  const name = createHash("sha256").update(socket).digest("hex").slice(0, 32)
  return join(SHORT_FOLDER, `mqttchat-${userId() ?? NO_USER_ID}`, `${name}.sock`)
}
