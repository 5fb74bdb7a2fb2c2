/** A broker's host and port, in the shape that the transport room takes. */
export type Address = { readonly host: string; readonly port: number }

/** The nodes of one broker, in the order in which they are tried. */
export type Addresses = readonly [Address, ...Address[]]

/** A cluster that stays whole through two failures has five nodes; more are not needed. */
const ADDRESSES_MAX = 5
/** MQTT over TLS (IANA: secure-mqtt); left out in written addresses. */
export const DEFAULT_PORT = 8883
/** MQTT without TLS (IANA: mqtt). */
export const INSECURE_PORT = 1883
/** Only programs on the same machine can connect to these. */
export const LOOPBACK = "127.0.0.1"
const PORT_MAX = 65_535
/** RFC 1035 section 2.3.4. */
const HOST_CHARACTERS_MAX = 253
/** A name or an IPv4 address: labels of letters, digits, hyphens and underscores (as some home networks have). */
const NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/
/** RFC 4291 text, without zone. The resolver checks the groups. */
const IPV6 = /^(?=.*:.*:)[0-9a-f:]{2,39}$/
const SPELLING = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([1-9][0-9]{0,4}))?$/

/** Reads `HOST`, `HOST:PORT` or `[IPV6]:PORT`, in any case; port 8883 if none is given [W-40], or what a command says. */
export function parseAddress(text: string, defaultPort = DEFAULT_PORT): Address | undefined {
  const [matched, six, name, digits] = SPELLING.exec(text.toLowerCase()) ?? []
  if (matched === undefined) return undefined
  const host = six ?? name ?? ""
  const port = digits === undefined ? defaultPort : Number(digits)
  if (port > PORT_MAX || host.length > HOST_CHARACTERS_MAX) return undefined
  return (six === undefined ? NAME : IPV6).test(host) ? { host, port } : undefined
}

/** The canonical form of an address: brackets around IPv6, no port if it is 8883 [W-40]. */
export function formatAddress({ host, port }: Address): string {
  const named = host.includes(":") ? `[${host}]` : host
  return port === DEFAULT_PORT ? named : `${named}:${port}`
}

/** Reads one to five different addresses with commas between them [W-40]. */
export function parseAddresses(text: string, defaultPort = DEFAULT_PORT): Addresses | undefined {
  const parts = text.split(",")
  if (parts.length > ADDRESSES_MAX) return undefined
  const [first, ...others] = parts.map((part) => parseAddress(part, defaultPort))
  if (first === undefined) return undefined
  const read: [Address, ...Address[]] = [first]
  for (const other of others) {
    if (other === undefined || read.some((known) => isSameAddress(known, other))) return undefined
    read.push(other)
  }
  return read
}

/** Their canonical form [W-40]. */
export function formatAddresses(addresses: Addresses): string {
  return addresses.map(formatAddress).join(",")
}

export function isSameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port
}
