/** A broker as a separate process, for tests that end it by a signal: FOLDER holds its PEM files and its journal. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { startBroker } from "../../src/broker/broker.ts"
import { GUEST_LIMITS } from "../../src/broker/limits/guest-limiter.ts"
import { limitsFor } from "../../src/broker/limits/limits.ts"
import { DEVICE_RATES, type PacketRates } from "../../src/broker/limits/packet-rates.ts"
import { limitYoungGeneration } from "../../src/broker/heap-flags.ts"

limitYoungGeneration()
const [folder = "", port = "0", limits = "wide"] = process.argv.slice(2)
const pem = (name: string): string => readFileSync(join(folder, name), "utf8")

const SHIPPED = { guestLimits: GUEST_LIMITS, limits: limitsFor() }
const WIDE = {
  guestLimits: {
    connectionsAtOnce: 10_000,
    connectionsPerMinute: 10_000,
    framesPerMinute: 1_000_000,
    connectionMaxMs: 900_000,
  },
  limits: {
    ...limitsFor(10_000),
    perCertificate: { atOnce: 100, perMinute: 100_000 },
    perDevice: Object.fromEntries(
      Object.keys(DEVICE_RATES).map((kind) => [kind, { capacity: 1_000_000, refillMs: 1 }]),
    ) as PacketRates,
  },
}

const broker = await startBroker({
  listen: [{ host: "127.0.0.1", port: Number(port) }],
  certificate: pem("server.pem"),
  key: pem("server-key.pem"),
  ca: pem("ca.pem"),
  clientCa: pem("ca.pem"),
  journalPath: join(folder, "journal"),
  registrarId: "registrar",
  ...(limits === "shipped" ? SHIPPED : WIDE),
  mayConnect: () => true,
  onTrouble: (fault) => process.stdout.write(`trouble ${fault.code}\n`),
})
// The process that started this one is gone.
process.stdin.resume().once("end", () => process.exit(1))
process.once("SIGTERM", () => void broker.close().then(() => process.exit(0)))
process.stdout.write(`port ${broker.ports[0] ?? 0}\n`)
