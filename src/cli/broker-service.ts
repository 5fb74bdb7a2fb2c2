import { existsSync, realpathSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { diskFault, Fault } from "../errors.ts"
import { needsPassphrase } from "../keystore/sealed-file.ts"
import { makeFolder } from "../private-folder.ts"
import { display, safe } from "../wire/text.ts"
import type { Context } from "./context.ts"
import type { BrokerOptions } from "./serve.ts"
import { CREDENTIAL } from "./passphrase.ts"

/** Variables that say where a profile lies: the service must look where this command looked. */
const PLACES = ["MQTTCHAT_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] as const
const SYSTEM_UNITS = "/etc/systemd/system"

/**
 * Writes a systemd unit that runs this broker: into the folder where systemd looks for units of this user (of the
 * system, for root), into a file of another name, or with `-` to stdout. Faults `config` when the broker's keys have a
 * passphrase and no file with it was named, and those of the disk.
 */
export async function writeService(
  context: Context,
  target: string | true,
  options: BrokerOptions,
): Promise<void> {
  const { out, profile } = context
  const unit = `mqttchat-broker-${profile}.service`
  const text = unitText(context, {
    args: argsOf(options),
    credential: await credentialOf(context),
    isSystem: isRoot(),
  })
  if (target === "-") {
    for (const line of text.trimEnd().split("\n")) out.data(display(line))
    return
  }
  const path = target === true ? join(unitFolder(), unit) : resolve(target)
  write(path, text)
  out.done(safe`written: ${display(path)}`)
  if (target !== true) return
  const manager = isRoot() ? "systemctl" : "systemctl --user"
  out.next(safe`next: ${display(`${manager} daemon-reload && ${manager} enable --now ${unit}`)}`)
  if (!isRoot()) out.next(safe`to keep it running when you log out: loginctl enable-linger`)
}

/** The flags that this command was given, for the command in the unit. */
function argsOf({ lan, loopback, listen, port, wss, perAddress, metrics }: BrokerOptions): string[] {
  const valued = Object.entries({ listen, port, wss, "per-address": perAddress, metrics })
  return [
    ...(lan === true ? ["--lan"] : []),
    ...(loopback === true ? ["--loopback"] : []),
    ...valued.flatMap(([name, value]) => {
      if (value === undefined) return []
      return value === true ? [`--${name}`] : [`--${name}=${value}`]
    }),
  ]
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unitFolder(): string {
  const folder = isRoot() ? SYSTEM_UNITS : join(homedir(), ".config", "systemd", "user")
  makeFolder(folder)
  return folder
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (cause) {
    throw diskFault(cause, `write ${path}`)
  }
}

/** The file that systemd hands to the broker as its passphrase; undefined where there is none to give. */
async function credentialOf({ paths, passphrase }: Context): Promise<string | undefined> {
  if (passphrase.file !== undefined) return resolve(passphrase.file)
  const place = { path: join(paths.broker, "broker.key"), purpose: "registrar" } as const
  if (!existsSync(place.path) || !(await needsPassphrase(place))) return undefined
  throw new Fault(
    "config",
    "the broker's keys have a passphrase, and a service cannot be asked for it",
    "mqttchat --passphrase-file FILE broker --service",
  )
}

type Unit = {
  readonly args: readonly string[]
  readonly credential: string | undefined
  readonly isSystem: boolean
}

/** What V8 needs rules out MemoryDenyWriteExecute; the rest of a user's own unit may not need other rights. */
function unitText({ env, profile, paths }: Context, { args, credential, isSystem }: Unit): string {
  const program = realpathSync(process.argv[1] ?? "")
  const command = [process.execPath, program, "--profile", profile, "--no-input", "broker", ...args]
  const places = PLACES.flatMap((name) =>
    env[name] === undefined ? [] : [`Environment=${quoted(`${name}=${env[name]}`)}`],
  )
  return [
    "[Unit]",
    `Description=mqttchat broker of the profile ${profile}`,
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${command.map(quoted).join(" ")}`,
    "Restart=on-failure",
    "RestartSec=5",
    ...places,
    ...(credential === undefined ? [] : [`LoadCredential=${CREDENTIAL}:${percents(credential)}`]),
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "SystemCallArchitectures=native",
    "UMask=0077",
    "LimitNOFILE=16384",
    "MemoryMax=1G",
    ...(isSystem ? sandbox(paths.root) : []),
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n")
}

/** What only the system's manager can do everywhere. */
function sandbox(root: string): string[] {
  return [
    "ProtectSystem=strict",
    `ReadWritePaths=${quoted(root)}`,
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
  const plain = percents(word).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$")
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(plain) ? plain : `"${plain}"`
}

function percents(text: string): string {
  return text.replaceAll("%", "%%")
}
