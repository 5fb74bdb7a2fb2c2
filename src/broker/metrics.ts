import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { Fault } from "../errors.ts"
import { LOOPBACK } from "../wire/address.ts"
import type { BrokerStats } from "./broker.ts"

/** A page of a website may point a name of its own at this port: it is asked by these names only. */
const ALLOWED_HOST = /^(localhost|127\.0\.0\.1)(:\d+)?$/
/** Prometheus text exposition format 0.0.4. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

export type Metrics = { readonly port: number; readonly close: () => Promise<void> }

/**
 * Answers `GET /metrics` on loopback; port 0 takes a free one. The figures contain no names.
 * @throws Fault `unavailable` if the port is taken.
 */
export async function serveMetrics(port: number, stats: () => BrokerStats): Promise<Metrics> {
  const server = createServer((request, response) => {
    const status = statusFor(request)
    response.writeHead(status, { "Content-Type": CONTENT_TYPE, Connection: "close" })
    response.end(status === 200 ? metricsText(stats()) : "")
  })
  server.listen(port, LOOPBACK)
  try {
    await once(server, "listening")
  } catch (cause) {
    const message = `cannot show figures on ${LOOPBACK} port ${port}: another program listens there`
    throw new Fault("unavailable", message, "mqttchat broker --metrics 0", cause)
  }
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()))
    server.closeAllConnections()
    await closed
  }
  return { port: (server.address() as AddressInfo).port, close }
}

function statusFor({ method, url, headers }: IncomingMessage): 200 | 403 | 404 | 405 {
  if (!ALLOWED_HOST.test(headers.host ?? "")) return 403
  if (url !== "/metrics") return 404
  return method === "GET" ? 200 : 405
}

type Kind = "counter" | "gauge"
/** Name, kind, what it counts, and the values, each with its labels. */
type Family = readonly [string, Kind, string, ...(readonly [string, number])[]]

/** The figures of a broker and of this process. */
function metricsText(stats: BrokerStats): string {
  return [...trafficMetrics(stats), ...storageMetrics(stats), ...processMetrics()].map(familyText).join("")
}

function trafficMetrics({
  connections,
  refused,
  filtersRefused,
  turnedAway,
  failedHandshakes,
  received,
  sent,
}: BrokerStats): Family[] {
  const byKind = Object.entries(connections).map(([kind, count]) => [`{kind="${kind}"}`, count] as const)
  return [
    ["mqttchat_connections", "gauge", "Open connections by who is there", ...byKind],
    [
      "mqttchat_refused_total",
      "counter",
      "Connections, messages and subscriptions turned down",
      ["", refused],
    ],
    [
      "mqttchat_refused_filters_total",
      "counter",
      "Subscriptions turned down: their device has as many as it may",
      ["", filtersRefused],
    ],
    ["mqttchat_turned_away_total", "counter", "Connections ended before TLS: too many", ["", turnedAway]],
    ["mqttchat_failed_handshakes_total", "counter", "TLS handshakes that failed", ["", failedHandshakes]],
    ["mqttchat_received_messages_total", "counter", "Messages accepted", ["", received.messages]],
    ["mqttchat_received_bytes_total", "counter", "Bytes in messages accepted", ["", received.bytes]],
    ["mqttchat_sent_messages_total", "counter", "Messages handed on", ["", sent.messages]],
    ["mqttchat_sent_bytes_total", "counter", "Bytes in messages handed on", ["", sent.bytes]],
  ]
}

function storageMetrics({ queued, journal, certificateExpiresAt }: BrokerStats): Family[] {
  return [
    ["mqttchat_sessions", "gauge", "Devices that the broker keeps messages for", ["", queued.sessions]],
    [
      "mqttchat_queued_messages",
      "gauge",
      "Messages not yet acknowledged by their devices",
      ["", queued.frames],
    ],
    ["mqttchat_queued_bytes", "gauge", "Bytes in them", ["", queued.bytes]],
    ["mqttchat_dropped_total", "counter", "Messages that found a full queue", ["", queued.dropped]],
    ["mqttchat_journal_bytes", "gauge", "Length of the journal", ["", journal.bytes]],
    ["mqttchat_journal_rewrites_total", "counter", "Times it was rewritten", ["", journal.rewrites]],
    [
      "mqttchat_certificate_expiry_seconds",
      "gauge",
      "Unix time of the server certificate's end",
      ["", certificateExpiresAt / 1000],
    ],
  ]
}

/** Under the names that every dashboard knows. */
function processMetrics(): Family[] {
  const { user, system } = process.cpuUsage()
  const started = Date.now() / 1000 - process.uptime()
  return [
    ["process_resident_memory_bytes", "gauge", "Resident memory", ["", process.memoryUsage.rss()]],
    ["process_cpu_seconds_total", "counter", "Processor time", ["", (user + system) / 1e6]],
    ["process_start_time_seconds", "gauge", "Unix time of the start", ["", started]],
  ]
}

function familyText([name, kind, help, ...values]: Family): string {
  const rows = values.map(([labels, value]) => `${name}${labels} ${value}\n`).join("")
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${rows}`
}
