import { spawnSync } from "node:child_process"
import { X509Certificate } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { get } from "node:http"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import type { Authority } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { openFile } from "../../src/keystore/sealed-file.ts"
import { openLedger } from "../../src/registrar/ledger.ts"
import { memoryOf, openMany } from "../broker/raw-client.ts"
import { type Device, mint, newId } from "../broker/broker-fixture.ts"
import { CliFixture, INIT, paired } from "./cli-fixture.ts"

const MIB = 1024 * 1024
const PEM = /-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----/g

/** @throws Error if systemd-analyze is missing and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests. */
function systemdIsMissing(): boolean {
  const missing = spawnSync("systemd-analyze", ["--version"]).status !== 0
  if (missing && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error("systemd-analyze is not installed: apt-get install systemd")
  }
  return missing
}

async function ask(
  port: string,
  host = "127.0.0.1",
  path = "/metrics",
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: "127.0.0.1", port, path, headers: { Host: host } }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    sent.once("error", reject)
  })
}

describe("a broker that is monitored", () => {
  test("reports connections, queues, rates and certificates; and that no broker runs if none does", async () => {
    const cli = new CliFixture()
    const { broker } = await paired(cli)
    await cli.run(["--profile", "bob", "send", "alice", "kept for later"])
    const status = await cli.run(["--profile", "alice", "broker", "status"])
    expect(status).toMatchObject({ code: 0, stderr: "" })
    expect(status.stdout).toMatch(/^running {7}since .+, process \d+, [\d.]+ MB of memory$/m)
    expect(status.stdout).toMatch(/^connected {5}\d devices, \d guests$/m)
    expect(status.stdout).toMatch(/^queued {8}\d+ messages, .+ for \d devices; 0 dropped by full queues$/m)
    expect(status.stdout).toMatch(/^certificates {2}server 39\d days, authority 7\d+ days$/m)
    expect(status.stdout).toMatch(/next device 8\d days/)
    for (const line of status.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80)

    const json = await cli.run(["--profile", "alice", "--json", "broker", "status"])
    expect(JSON.parse(json.stdout)).toMatchObject({
      schema: "mqttchat/broker-status/1",
      pid: broker.pid,
      queued: { dropped: 0 },
      connections: { registrar: 1 },
    })
    broker.kill("SIGTERM")
    await broker.finished()
    const none = await cli.run(["--profile", "alice", "broker", "status"])
    expect(none).toMatchObject({ code: 69, stdout: "" })
    expect(none.stderr).toContain("→ mqttchat --profile alice broker\n")
  })

  test("shows its metrics to Prometheus on loopback, not to web pages, and names no user", async () => {
    const cli = new CliFixture()
    await cli.run(INIT)
    const args = [
      "broker",
      "up",
      "--loopback",
      "--port",
      "0",
      "--metrics",
      "0",
      "--wss",
      "0",
      "--per-address",
      "200",
    ]
    const broker = cli.start(["--profile", "alice", ...args])
    const [, port = ""] = await broker.prints(/metrics at http:\/\/127\.0\.0\.1:(\d+)\/metrics/)
    await broker.prints(/over WebSocket {3}wss:\/\/127\.0\.0\.1:\d+\/mqtt/)
    const { status, text } = await ask(port)
    expect(status).toBe(200)
    expect(text).toContain('\nmqttchat_connections{kind="registrar"} 1\n')
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[a-z]+"\})? [0-9.e+]+)$/)
    }
    expect(text).not.toContain("alice")
    expect((await ask(port, "mallory.example")).status).toBe(403)
    expect((await ask(port, `localhost:${port}`, "/")).status).toBe(404)
    broker.kill("SIGTERM")
    expect(await broker.finished()).toMatchObject({ signal: "SIGTERM" })
  })

  test("fits into 120 MB with a hundred clients", async () => {
    const cli = new CliFixture()
    const args = ["--profile", "alice", "broker", "--loopback", "--port", "0", "--per-address", "200"]
    const first = cli.start(args)
    await first.prints(/broker running/)
    first.kill("SIGTERM")
    await first.finished()
    const folder = join(cli.folder, "home", "alice", "broker")
    const authority = await authorityIn(folder)
    const devices = await Promise.all(Array.from({ length: 100 }, () => mint(authority, newId())))
    await admitDevices(folder, devices)

    const broker = cli.start(args)
    await broker.prints(/broker running/)
    const { port } = JSON.parse(readFileSync(join(folder, "address.json"), "utf8")) as { port: number }
    const clients = await openMany({ port, ca: authority.caCertificate }, devices)
    expect(await memoryOf(broker.pid)).toBeLessThan(120 * MIB)
    for (const { socket } of clients) socket.destroy()
  })
})

/** The authority in a broker's keys that have no passphrase. */
async function authorityIn(folder: string): Promise<Authority> {
  const target = { path: join(folder, "broker.key"), purpose: "registrar" } as const
  const { contents } = await openFile(target, "", systemRandom)
  const [caCertificate = "", caKey = ""] = Buffer.from(contents).toString("latin1").match(PEM) ?? []
  return { caCertificate, caKey }
}

/** Writes the ledger that a hundred registrations would have left; the broker does not run meanwhile. */
async function admitDevices(folder: string, devices: readonly Device[]): Promise<void> {
  const ledger = await openLedger(join(folder, "registrar.ledger"))
  for (const { id, certificate } of devices) {
    const [at, user, secretHash] = [Date.now(), newId(), newId()]
    const invited = { name: id, expiresAt: at + 1, by: null, operator: false }
    await ledger.append({ kind: "invited", at, user, secretHash, ...invited })
    const admitted = { sign: newId(), spkiHash: newId(), requestHash: newId(), deviceName: "laptop" }
    const der = new X509Certificate(certificate).raw.toString("base64url")
    await ledger.append({ kind: "admitted", at, user, device: id, secretHash, ...admitted, certificate: der })
  }
  await ledger.close()
}

describe("a broker as a service", () => {
  test.skipIf(systemdIsMissing())("has a unit that systemd accepts, with any folder names", async () => {
    const cli = new CliFixture()
    const passphrase = join(cli.folder, 'pass "50%" $HOME.txt')
    writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 })
    const unit = join(cli.folder, "mqttchat-broker.service")
    const written = await cli.run([
      ...["--profile", "alice", "--passphrase-file", passphrase],
      ...["broker", "--service", unit, "--loopback", "--port", "0", "--wss", "--metrics=0"],
    ])
    expect(written).toMatchObject({ code: 0, stdout: "" })
    const verified = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" })
    expect({ status: verified.status, output: `${verified.stdout}${verified.stderr}` }).toEqual({
      status: 0,
      output: "",
    })
    const text = readFileSync(unit, "utf8")
    expect(text).toContain("--profile alice --no-input broker --loopback --port=0 --wss --metrics=0\n")
    expect(text).toContain("LoadCredential=mqttchat-passphrase:")
    expect(text).not.toContain("correct horse")
  })

  test.skipIf(systemdIsMissing())("so does a daemon", async () => {
    const cli = new CliFixture()
    const passphrase = join(cli.folder, 'pass "50%" $HOME.txt')
    writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 })
    const init = ["init", "--name", "alice", "--broker", "later"]
    await cli.run(["--profile", "alice", "--passphrase-file", passphrase, ...init])
    const unit = join(cli.folder, "mqttchat-daemon.service")
    const written = await cli.run([
      ...["--profile", "alice", "--passphrase-file", passphrase],
      ...["daemon", "--service", unit, "--lock-after", "1h"],
    ])
    expect(written).toMatchObject({ code: 0, stdout: "" })
    const verified = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" })
    expect({ status: verified.status, output: `${verified.stdout}${verified.stderr}` }).toEqual({
      status: 0,
      output: "",
    })
    expect(readFileSync(unit, "utf8")).not.toContain("correct horse")
  })

  test("opens its keys with the credential from systemd, and does not prompt", async () => {
    const cli = new CliFixture()
    const passphrase = join(cli.folder, "mqttchat-passphrase")
    writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 })
    const args = ["--profile", "alice", "--no-input", "broker", "--loopback", "--port", "0"]
    const first = cli.start(["--passphrase-file", passphrase, ...args])
    await first.prints(/broker running/)
    first.kill("SIGTERM")
    await first.finished()
    expect(await cli.run(args)).toMatchObject({ code: 64 })

    cli.more = { CREDENTIALS_DIRECTORY: cli.folder }
    const second = cli.start(args)
    await second.prints(/broker running/)
  })

  test("is refused a unit that could not open its keys", async () => {
    const cli = new CliFixture()
    const passphrase = join(cli.folder, "passphrase")
    writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o600 })
    const first = cli.start(["--passphrase-file", passphrase, "broker", "--loopback", "--port", "0"])
    await first.prints(/broker running/)
    const refused = await cli.run(["broker", "--service", "-"])
    expect(refused).toMatchObject({ code: 78, stdout: "" })
    expect(refused.stderr).toContain("mqttchat --passphrase-file FILE broker --service")
  })
})
