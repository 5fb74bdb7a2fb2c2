import { writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { Aedes } from "aedes"
import { describe, expect, it, onTestFinished } from "vitest"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { CliFixture } from "./cli-fixture.ts"

/** Any MQTT 3 broker, without TLS. */
async function plainBroker(): Promise<string> {
  const aedes = await Aedes.createBroker({
    authenticate: (_client, username, password, done) => {
      done(null, username === undefined || (username === "alice" && password?.toString() === "correct"))
    },
    authorizePublish: (_client, { topic }, done) => done(topic === "forbidden" ? new Error("no") : null),
  })
  const server = createServer((socket) => void aedes.handle(socket))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(async () => {
    await new Promise<void>((resolve) => aedes.close(resolve))
    server.close()
  })
  return String((server.address() as AddressInfo).port)
}

describe("pub and sub, as in the paper's client", () => {
  it.each(["3.1", "3.1.1"])("exchange messages over MQTT %s at every quality of service", async (version) => {
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", await plainBroker(), "--mqtt-version", version]
    const sub = cli.start(["sub", "laptops/#", ...at, "--qos", "2"])
    await sub.prints(/subscribed to laptops\/#/)
    for (const [qos, answer] of [
      ["0", "not acknowledged (QoS 0)"],
      ["1", "acknowledged (QoS 1)"],
      ["2", "acknowledged (QoS 2)"],
    ] as const) {
      const sent = await cli.run(["pub", "laptops/one", `level ${qos}`, ...at, "--qos", qos])
      expect(sent).toMatchObject({ code: 0, stdout: `sent 7 bytes to laptops/one: status 0, ${answer}\n` })
      expect(sent.stderr).toBe(
        "! this is plain MQTT, not encrypted end to end: the broker and its operator can read it\n",
      )
      await sub.prints(new RegExp(`^laptops/one level ${qos}\n`, "m"))
    }
    sub.kill("SIGINT")
    expect(await sub.finished()).toMatchObject({ signal: "SIGINT" })
  })

  it("log in with a password from a file, and report when it is wrong", async () => {
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", await plainBroker()]
    const file = (password: string): string => {
      const path = join(cli.folder, password)
      writeFileSync(path, `${password}\n`)
      return path
    }
    const as = (password: string): string[] => ["--username", "alice", "--password-file", file(password)]
    const right = await cli.run(["pub", "t", "hi", ...at, ...as("correct")])
    expect(right).toMatchObject({ code: 0 })
    expect(right.stderr).toContain("password is readable on the way")
    expect(await cli.run(["pub", "t", "hi", ...at, ...as("wrong")])).toMatchObject({
      code: 77,
      stdout: "",
    })
  })

  it("publish stdin unchanged, and print bytes that are not text as a number of bytes", async () => {
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", await plainBroker()]
    const sub = cli.start(["sub", "t", ...at])
    const json = cli.start(["sub", "t", "--json", ...at])
    await sub.prints(/subscribed/)
    await json.prints(/subscribed/)
    await cli.run(["pub", "t", "-", ...at], Uint8Array.of(0xff, 0x00))
    await sub.prints(/^t \(2 bytes, not text\)\n/m)
    await json.prints(/"text":null,"base64":"\/wA="/)
    await cli.run(["pub", "t", ...at], "\u001b[2Jcleared")
    await sub.prints(/^t ␛\[2Jcleared\n/m)
  })

  it("say that there is no broker", async () => {
    const cli = new CliFixture()
    const gone = await cli.run(["pub", "t", "hi", "--host", "127.0.0.1", "--port", "1"])
    expect(gone.code).toBe(69)
    expect(gone.stderr).toContain("mqttchat: the broker at 127.0.0.1:1 is not running: connection refused")
  })
})

describe.skipIf(mosquittoIsMissing())("pub and sub at a Mosquitto", () => {
  it("speak MQTT 5 and report that a message had no subscriber", async () => {
    const mosquitto = await startMosquitto("plain")
    onTestFinished(mosquitto.close)
    const cli = new CliFixture()
    const password = join(cli.folder, "password")
    writeFileSync(password, "correct\n")
    const at = ["--host", "127.0.0.1", "--port", String(mosquitto.port), "--mqtt-version", "5"]
    const alice = [...at, "--username", "alice", "--password-file", password]
    const unreceived = await cli.run(["pub", "t", "hi", ...alice, "--qos", "1"])
    expect(unreceived.stdout).toBe("sent 2 bytes to t: status 0, acknowledged (QoS 1), no subscribers\n")
    const sub = cli.start(["sub", "t", ...alice, "--qos", "2"])
    await sub.prints(/subscribed/)
    for (const qos of ["0", "1", "2"]) await cli.run(["pub", "t", `at ${qos}`, ...alice, "--qos", qos])
    for (const qos of ["0", "1", "2"]) await sub.prints(new RegExp(`^t at ${qos}\n`, "m"))
    const stranger = await cli.run(["pub", "t", "hi", ...at])
    expect(stranger).toMatchObject({ code: 77 })
  })

  it("trust the authority that --ca names, and no other", async () => {
    const mosquitto = await startMosquitto("open")
    onTestFinished(mosquitto.close)
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", String(mosquitto.port)]
    const trusted = await cli.run(["pub", "t", "hi", ...at, "--ca", join(mosquitto.folder, "ca.crt")])
    expect(trusted).toMatchObject({ code: 0 })
    expect(await cli.run(["pub", "t", "hi", ...at, "--tls"])).toMatchObject({ code: 76, stdout: "" })
  })
})
