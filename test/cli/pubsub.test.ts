import { writeFileSync } from "node:fs"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { join } from "node:path"
import { Aedes } from "aedes"
import { describe, expect, it, onTestFinished } from "vitest"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { CliFixture, startBroker, aliceAlone } from "./cli-fixture.ts"

/** Accepted, no session (MQTT 3.1.1 section 3.2). */
const CONNACK = Uint8Array.of(0x20, 2, 0, 0)

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

/** Accepts every connection and answers nothing after that. */
async function silentBroker(atEnd = onTestFinished): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on("error", () => socket.destroy())
    socket.once("data", () => socket.write(CONNACK))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  atEnd(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return String((server.address() as AddressInfo).port)
}

describe("pub and sub at a broker that does not do what they ask", () => {
  it.each([
    ["pub", "at least one character", ""],
    ["pub", "are for subscriptions", "t/#"],
    ["pub", "are for subscriptions", "t/+/x"],
    ["pub", "only the broker", "$SYS/broker"],
    ["pub", "at most 65535 bytes", "x".repeat(65_536)],
    ["sub", "at least one character", ""],
    ["sub", "last level", "t/#/x"],
    ["sub", "alone between slashes", "t/a+"],
    ["sub", "alone between slashes", "t#"],
    ["sub", "$share/NAME/FILTER", "$share/g"],
    ["sub", "$share/NAME/FILTER", "$share/g+/t"],
  ])("refuse a topic of %s before anything is sent: %s", async (command, why, topic) => {
    const cli = new CliFixture()
    const message = command === "pub" ? ["hi"] : []
    const refused = await cli.run([command, topic, ...message, "--host", "127.0.0.1", "--port", "1"])
    expect(refused.code).toBe(64)
    expect(refused.stderr).toContain(why)
  })

  it.concurrent.for(["1", "2"])(
    "wait for an acknowledgement, and not for ever, at QoS %s",
    async (qos, test) => {
      const cli = new CliFixture(test.onTestFinished)
      const at = ["--host", "127.0.0.1", "--port", await silentBroker(test.onTestFinished), "--qos", qos]
      const [unanswered, unsubscribed] = await Promise.all([
        cli.run(["pub", "t", "hi", ...at]),
        cli.run(["sub", "t", ...at]),
      ])
      expect(unsubscribed.code).toBe(69)
      expect(unanswered).toMatchObject({ code: 69, stdout: "" })
      expect(unanswered.stderr).toContain("it is not known whether the message was published")
    },
  )

  it("end with 69 when the broker cuts the connection instead of acknowledging", async () => {
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", await plainBroker()]
    const cut = await cli.run(["pub", "forbidden", "hi", ...at])
    expect(cut).toMatchObject({ code: 69, stdout: "" })
    expect(cut.stderr).toContain("cut the connection before it acknowledged")
  })

  it.each([
    ["SIGTERM", "pub"],
    ["SIGINT", "pub"],
    ["SIGTERM", "sub"],
  ] as const)("end at the first %s while they wait: %s", async (signal, command) => {
    const cli = new CliFixture()
    const port = await silentBroker()
    const waiting = cli.start([
      command,
      "t",
      ...(command === "pub" ? ["hi"] : []),
      "--host",
      "127.0.0.1",
      "--port",
      port,
    ])
    await waiting.prints(/this is plain MQTT/)
    waiting.kill(signal)
    expect(await waiting.finished()).toMatchObject({ signal, code: null })
  })

  it("name a port that speaks TLS, and one that does not", async () => {
    const cli = new CliFixture()
    await aliceAlone(cli)
    const broker = await startBroker(cli)
    const [, tls = ""] = await broker.prints(/127\.0\.0\.1:(\d+)/)
    for (const command of [
      ["pub", "t", "hi"],
      ["sub", "t"],
    ]) {
      const plain = await cli.run([...command, "--host", "127.0.0.1", "--port", tls])
      expect([plain.code, plain.stderr]).toEqual([
        69,
        expect.stringContaining("speaks TLS on this port\n  → add --tls"),
      ])
      const port = await plainBroker()
      const secure = await cli.run([...command, "--host", "127.0.0.1", "--port", port, "--tls"])
      expect([secure.code, secure.stderr]).toEqual([
        69,
        expect.stringContaining("speaks MQTT without TLS on this port"),
      ])
    }
  })

  it("have the broker keep a message, and remove it with an empty one", async () => {
    const cli = new CliFixture()
    const at = ["--host", "127.0.0.1", "--port", await plainBroker()]
    await cli.run(["pub", "kept", "for later", "--retain", ...at])
    const sub = cli.start(["sub", "kept", "--json", ...at])
    await sub.prints(/"retain":true,"text":"for later"/)
    await cli.run(["pub", "kept", "", "--retain", ...at])
    const later = cli.start(["sub", "#", "--json", ...at])
    await later.prints(/subscribed/)
    await cli.run(["pub", "other", "now", ...at])
    await later.prints(/"topic":"other"/)
    later.kill("SIGINT")
    expect((await later.finished()).stdout).not.toContain("kept")
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
