import { existsSync } from "node:fs"
import { LOOPBACK } from "../../wire/address.ts"

/** Tools that manage a firewall here, with the command that opens a port for good. */
const TOOLS: readonly (readonly [string, (port: number) => string])[] = [
  ["/usr/sbin/ufw", (port) => `sudo ufw allow ${port}/tcp`],
  [
    "/usr/bin/firewall-cmd",
    (port) => `sudo firewall-cmd --permanent --add-port=${port}/tcp && sudo firewall-cmd --reload`,
  ],
]

/** How to open `port` in the firewall of this machine; undefined if only this machine may connect. */
export function firewallHint(listen: string, port: number): string | undefined {
  if (listen === LOOPBACK || listen === "::1") return undefined
  const [, command] = TOOLS.find(([tool]) => existsSync(tool)) ?? []
  if (command !== undefined) return `if others cannot connect: ${command(port)}`
  return `if others cannot connect: let TCP port ${port} through the firewall of this machine`
}
