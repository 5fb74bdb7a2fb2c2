import { realpathSync } from "node:fs"
import { join, resolve } from "node:path"
import { replaceFile } from "../../fs/atomic-file.ts"
import { makeFolder } from "../../fs/private-folder.ts"
import { homeFolder } from "../../os-user.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { CREDENTIAL } from "../terminal/passphrase.ts"

/** Variables that say where a profile is stored: the service must look where this command looked. */
const PROFILE_VARIABLES = ["MQTTCHAT_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] as const
/** It names a credential and holds none; systemd warns of a unit that not all may read. */
const UNIT_MODE = 0o644
const SYSTEM_UNITS = "/etc/systemd/system"

export type SystemdUnit = {
  /** Without `.service`. */
  readonly name: string
  readonly description: string
  /** The command, and what it is given. */
  readonly args: readonly string[]
  /** The file that systemd hands over as the passphrase. */
  readonly credential: string | undefined
  /** Folders in which it writes. */
  readonly writablePaths: readonly string[]
}

/**
 * Writes a systemd unit that runs a command of this profile: to the folder where systemd looks for units of this user
 * (of the system, for root), to the named file, or with `-` to stdout. Faults of the disk.
 */
export async function writeUnit(context: Context, target: string | true, unit: SystemdUnit): Promise<void> {
  const { out } = context
  const text = unitText(context, unit)
  if (target === "-") {
    for (const line of text.trimEnd().split("\n")) out.data(display(line))
    return
  }
  const file = `${unit.name}.service`
  const path = target === true ? join(unitFolder(), file) : resolve(target)
  await replaceFile(path, text, UNIT_MODE)
  out.done(safe`written: ${display(path)}`)
  if (target !== true) return
  const manager = isRoot() ? "systemctl" : "systemctl --user"
  out.next(safe`next: ${display(`${manager} daemon-reload && ${manager} enable --now ${file}`)}`)
  if (!isRoot()) out.next(safe`to keep it running when you log out: loginctl enable-linger`)
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unitFolder(): string {
  const folder = isRoot() ? SYSTEM_UNITS : join(homeFolder(process.env), ".config", "systemd", "user")
  makeFolder(folder)
  return folder
}

/** No MemoryDenyWriteExecute: V8 compiles at run time. Only options that a user's own unit may set. */
function unitText(
  { env, profile }: Context,
  { description, args, credential, writablePaths }: SystemdUnit,
): string {
  const program = realpathSync(process.argv[1] ?? "")
  const command = [process.execPath, program, "--profile", profile, "--no-input", ...args]
  const environment = PROFILE_VARIABLES.flatMap((name) =>
    env[name] === undefined ? [] : [`Environment=${quoted(`${name}=${env[name]}`)}`],
  )
  return [
    "[Unit]",
    `Description=${description}`,
    ...(isRoot() ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${command.map(quoted).join(" ")}`,
    "Restart=on-failure",
    "RestartSec=5",
    ...environment,
    ...(credential === undefined ? [] : [`LoadCredential=${CREDENTIAL}:${escapePercents(credential)}`]),
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "SystemCallArchitectures=native",
    "UMask=0077",
    "LimitNOFILE=16384",
    "LimitCORE=0",
    "MemoryMax=1G",
    ...(isRoot() ? sandbox(writablePaths) : []),
    "",
    "[Install]",
    `WantedBy=${isRoot() ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n")
}

/** Only the system manager can apply these on every machine. */
function sandbox(writablePaths: readonly string[]): string[] {
  return [
    "ProtectSystem=strict",
    `ReadWritePaths=${writablePaths.map(quoted).join(" ")}`,
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "CapabilityBoundingSet=",
  ]
}

/** One word of a unit file (systemd.syntax(7), systemd.service(5)): neither % nor $ means anything in it. */
function quoted(word: string): string {
  const plain = escapePercents(word).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$")
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(plain) ? plain : `"${plain}"`
}

function escapePercents(text: string): string {
  return text.replaceAll("%", "%%")
}
