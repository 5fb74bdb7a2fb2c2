import { X509Certificate } from "node:crypto"
import type { Broker } from "../../broker/broker.ts"
import { Fault } from "../../errors.ts"
import type { BrokerReport, BrokerStatus } from "../../registrar/admin/commands.ts"
import { DAY_MS } from "../../time-units.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { connectAdmin } from "./admin-rpc.ts"

const UNITS = ["B", "kB", "MB", "GB"] as const

/** Reports on `broker`, which runs in this process. `caCertificate` is PEM. */
export function reporter(broker: Broker, caCertificate: string): () => BrokerReport {
  const startedAt = Date.now()
  const authorityExpiresAt = Date.parse(new X509Certificate(caCertificate).validTo)
  return () => ({
    ...broker.stats(),
    pid: process.pid,
    startedAt,
    memoryBytes: process.memoryUsage.rss(),
    authorityExpiresAt,
  })
}

/** Connections, queues, rates and certificates of the running broker. Fault `unavailable` if none runs. */
export async function brokerStatus(context: Context): Promise<void> {
  const admin = await connectAdmin(context)
  if (admin === undefined)
    throw new Fault("unavailable", "no broker of this profile is running", "mqttchat broker")
  const status = await admin.call("status", {})
  const { out } = context
  if (out.json) out.record("mqttchat/broker-status/1", status)
  else for (const row of rows(status, Date.now())) out.data(row)
}

function rows(status: BrokerStatus, now: number): SafeText[] {
  const { connections, queued, received, sent, refused, turnedAway, failedHandshakes } = status
  const kept = safe`${queued.frames} messages, ${formatBytes(queued.bytes)}, for ${queued.sessions} devices`
  return [
    safe`running       since ${formatTime(status.startedAt)}, process ${status.pid}, ${formatBytes(status.memoryBytes)} of memory`,
    safe`connected     ${connections.device} devices, ${connections.guest} guests`,
    safe`queued        ${kept}; ${queued.dropped} dropped by full queues`,
    safe`last minute   ${formatRate(received.perSecond)} in, ${formatRate(sent.perSecond)} out`,
    safe`since start   ${received.messages} messages in, ${sent.messages} out`,
    safe`turned down   ${refused} refused, ${turnedAway} too many, ${failedHandshakes} without TLS`,
    safe`journal       ${formatBytes(status.journal.bytes)}`,
    safe`certificates  server ${daysLeft(status.certificateExpiresAt, now)}, authority ${daysLeft(status.authorityExpiresAt, now)}`,
    ...(status.deviceExpiresAt === null
      ? []
      : [safe`              next device ${daysLeft(status.deviceExpiresAt, now)}`]),
  ]
}

function formatTime(ms: number): SafeText {
  return display(new Date(ms).toISOString().slice(0, 16).replace("T", " "))
}

function daysLeft(until: number, now: number): SafeText {
  return until <= now ? safe`EXPIRED` : safe`${Math.floor((until - now) / DAY_MS)} days`
}

function formatRate(perSecond: number): SafeText {
  return display(`${perSecond.toFixed(1)}/s`)
}

function formatBytes(bytes: number): SafeText {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  const scaled = bytes / 1000 ** power
  return display(`${power === 0 ? scaled : scaled.toFixed(1)} ${UNITS[power] ?? ""}`)
}
