import { lookup } from "node:dns/promises"
import { isIP, connect } from "node:net"
import { connect as connectTls } from "node:tls"

import { failureOf } from "../../transport/failures.ts"
import type { BrokerAddress, ConnectTarget } from "../../transport/transport.ts"
import { openTlsSocket, type TlsTarget } from "../../transport/trust.ts"
import type { Fault } from "../../errors.ts"

const ANSWER_MS = 10_000

/** What a server shows before authentication. Each step is there if the one before succeeded. */
export type ServerView = {
  readonly addresses: readonly string[] | Fault
  readonly tcp?: "open" | Fault
  readonly tls?: TlsResult | Fault
  /** Whether it would also speak TLS 1.2. */
  readonly acceptsTls12?: boolean
  /** Whether all that the profile asks of its certificate holds; without TLS it asks nothing. */
  readonly trusted?: "trusted" | Fault
}

export type TlsResult = {
  readonly version: string
  /** Its answer to our asking for MQTT (ALPN); our own broker gives one. */
  readonly protocol: string | undefined
  /** Of the server's own certificate, unix ms. */
  readonly validFrom: number
  readonly validTo: number
}

/** Goes as far as the server lets a stranger go. No credential travels. */
export async function viewServer({ address, trust }: ConnectTarget): Promise<ServerView> {
  const addresses = await resolve(address)
  if (!Array.isArray(addresses)) return { addresses }
  const tcp = await tryTcp(address)
  if (tcp !== "open") return { addresses, tcp }
  if (trust.kind === "insecure") return { addresses, tcp, trusted: "trusted" }
  const tls = await tryTls({ address, trust: { kind: "unproven" }, credential: { kind: "guest" } })
  if (!("version" in tls)) return { addresses, tcp, tls }
  const proof = await tryTls({ address, trust, credential: { kind: "guest" } })
  return {
    addresses,
    tcp,
    tls,
    acceptsTls12: await acceptsTls12(address),
    trusted: "version" in proof ? "trusted" : proof,
  }
}

async function resolve(address: BrokerAddress): Promise<readonly string[] | Fault> {
  if (isIP(address.host) !== 0) return [address.host]
  try {
    return (await lookup(address.host, { all: true })).map((found) => found.address)
  } catch (error) {
    return failureOf(error, address).fault
  }
}

function tryTcp(address: BrokerAddress): Promise<"open" | Fault> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const fail = (error: unknown): void => resolve(failureOf(error, address).fault)
    socket.setTimeout(ANSWER_MS, () =>
      socket.destroy(Object.assign(new Error("silent"), { code: "ETIMEDOUT" })),
    )
    socket.once("error", fail)
    socket.once("connect", () => {
      socket.destroy()
      resolve("open")
    })
  })
}

async function tryTls(target: TlsTarget): Promise<TlsResult | Fault> {
  try {
    const proven = { anchor: undefined, session: undefined }
    const { socket } = await openTlsSocket(target, proven, new AbortController().signal)
    const { valid_from: from, valid_to: to } = socket.getPeerCertificate()
    const result = {
      version: socket.getProtocol() ?? "unknown",
      protocol: socket.alpnProtocol === false ? undefined : (socket.alpnProtocol ?? undefined),
      validFrom: Date.parse(from),
      validTo: Date.parse(to),
    }
    socket.destroy()
    return result
  } catch (error) {
    return failureOf(error, target.address).fault
  }
}

function acceptsTls12({ host, port }: BrokerAddress): Promise<boolean> {
  return new Promise((resolve) => {
    // nothing is sent on it: only the version is of interest
    const socket = connectTls({ host, port, rejectUnauthorized: false, ca: [], maxVersion: "TLSv1.2" })
    socket.setTimeout(ANSWER_MS, () => socket.destroy())
    socket.on("error", () => undefined)
    socket.once("close", () => resolve(false))
    socket.once("secureConnect", () => {
      resolve(true)
      socket.destroy()
    })
  })
}
