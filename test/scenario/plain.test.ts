import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Running } from "../cli/cli-fixture.ts"
import {
  type Mosquitto,
  mosquittoClientsAreMissing,
  mosquittoIsMissing,
  startMosquitto,
} from "../mosquitto.ts"
import { schemaIs, ScenarioFixture } from "./scenario-fixture.ts"

/** Our flag, Mosquitto's flag, and the text of its log. */
const VERSIONS = [
  ["5", "mqttv5", "p5"],
  ["3.1.1", "mqttv311", "p2"],
  ["3.1", "mqttv31", "p1"],
] as const
const LEVELS = ["0", "1", "2"] as const

describe.skipIf(mosquittoIsMissing() || mosquittoClientsAreMissing())(
  "mqttchat as a plain MQTT client of Mosquitto",
  () => {
    const fixture = new ScenarioFixture()
    const alice = fixture.user("alice")
    const strangers = new Set<Running>()
    let plain: Mosquitto
    let secured: Mosquitto
    beforeAll(async () => {
      ;[plain, secured] = await Promise.all([startMosquitto("plain"), startMosquitto("accounts")])
      for (const [name, password] of Object.entries({ right: "correct", wrong: "horse" }))
        writeFileSync(join(fixture.folder, name), `${password}\n`, { mode: 0o600 })
    })
    afterAll(async () => {
      await fixture.end()
      await Promise.all([...strangers].map((running) => running.stop()))
      await Promise.all([plain, secured].map((broker) => broker.close()))
    })

    const at = ({ port }: Mosquitto, password = "right"): readonly string[] => [
      ...["--host", "127.0.0.1", "--port", String(port), "--username", "alice"],
      ...["--password-file", join(fixture.folder, password)],
    ]

    /** Mosquitto's own client, with its output line by line. */
    function theirs(command: "mosquitto_pub" | "mosquitto_sub", ...args: readonly string[]): Running {
      const account = ["-h", "127.0.0.1", "-p", String(plain.port), "-u", "bob", "-P", "horse"]
      const running = new Running(spawn("stdbuf", ["-oL", command, ...account, ...args], { stdio: "pipe" }))
      running.endInput()
      strangers.add(running)
      return running
    }

    test.concurrent.each(VERSIONS)(
      "publishes to mosquitto_sub in MQTT %s at each quality of service, and prints the broker's answer",
      async (version, theirVersion, logged) => {
        const topic = `from-us/${theirVersion}`
        const listener = theirs(
          "mosquitto_sub",
          "-V",
          theirVersion,
          "-t",
          `${topic}/#`,
          "-q",
          "2",
          "-F",
          "%q %t %p",
          "-d",
        )
        await listener.prints(/Subscribed/)
        const publish = (qos: string) =>
          alice.run([
            ...["pub", `${topic}/${qos}`, `level ${qos}`, ...at(plain)],
            ...["--qos", qos, "--mqtt-version", version, "--client-id", `us-${theirVersion}-${qos}`],
          ])
        for (const [index, { code, stdout, stderr }] of (await Promise.all(LEVELS.map(publish))).entries()) {
          const answer = index === 0 ? "not acknowledged" : "acknowledged"
          expect(code).toBe(0)
          expect(stdout).toBe(
            `sent 7 bytes to ${topic}/${String(index)}: status 0, ${answer} (QoS ${String(index)})\n`,
          )
          expect(stderr).toContain("not encrypted end to end")
        }
        for (const qos of LEVELS)
          await listener.prints(new RegExp(`^${qos} ${topic}/${qos} level ${qos}$`, "m"))
        listener.kill("SIGTERM")
        await listener.finished()
        for (const qos of LEVELS)
          expect(plain.log.some((line) => line.includes(`as us-${theirVersion}-${qos} (${logged}, `))).toBe(
            true,
          )
      },
    )

    test.concurrent.each(VERSIONS)(
      "prints what mosquitto_pub publishes in MQTT %s at each quality of service, until it is ended",
      async (version, theirVersion) => {
        const topic = `to-us/${theirVersion}`
        const listener = alice.start([
          "sub",
          `${topic}/#`,
          ...at(plain),
          "--qos",
          "2",
          "--mqtt-version",
          version,
          "--json",
        ])
        await listener.prints(/subscribed to/)
        const publish = (qos: string) =>
          theirs(
            "mosquitto_pub",
            "-V",
            theirVersion,
            "-t",
            `${topic}/${qos}`,
            "-m",
            "tür",
            "-q",
            qos,
          ).finished()
        await Promise.all(LEVELS.map(publish))
        for (const qos of LEVELS) {
          const received = await listener.waitForOutput((output) => output["topic"] === `${topic}/${qos}`)
          expect(received).toMatchObject({
            schema: "mqttchat/heard/1",
            qos: Number(qos),
            text: "tür",
            retain: false,
          })
        }
        listener.kill("SIGINT")
        const { signal, stderr, output } = await listener.ended()
        expect(signal).toBe("SIGINT")
        expect(output).toHaveLength(LEVELS.length)
        expect(stderr).toContain("not encrypted end to end")
        expect(stderr).toContain("password is readable on the way")
      },
    )

    test.concurrent("shows text as a row, and other bytes by their number", async () => {
      const listener = alice.start(["sub", "rows", ...at(plain)])
      await listener.prints(/subscribed to/)
      await theirs("mosquitto_pub", "-t", "rows", "-m", "\u001b[2Jred").finished()
      await listener.prints(/^rows ␛\[2Jred$/m)
      const bytes = join(fixture.folder, "bytes")
      writeFileSync(bytes, Uint8Array.of(0xff, 0xfe, 0))
      await theirs("mosquitto_pub", "-t", "rows", "-f", bytes).finished()
      await listener.prints(/^rows \(3 bytes, not text\)$/m)
    })

    test.concurrent("uses TLS with the given authority, and trusts no other", async () => {
      const ca = ["--ca", join(secured.folder, "ca.crt")]
      const listener = alice.start(["sub", "tls", ...at(secured), ...ca, "--json"])
      await listener.prints(/subscribed to/)
      const sent = await alice.run(["pub", "tls", "through", ...at(secured), ...ca, "--json"])
      expect(sent.output).toMatchObject([{ schema: "mqttchat/published/1", topic: "tls", bytes: 7, qos: 1 }])
      expect(sent.stderr).not.toContain("readable on the way")
      expect(await listener.waitForOutput(schemaIs("heard"))).toMatchObject({ topic: "tls", text: "through" })
      const stranger = await alice.run(["pub", "tls", "no", ...at(secured), "--tls"])
      expect(stranger.code).toBe(76)
    })

    test.concurrent("reports a wrong password", async () => {
      const { code, stdout, stderr } = await alice.run(["pub", "rows", "no", ...at(plain, "wrong")])
      expect({ code, stdout }).toEqual({ code: 77, stdout: "" })
      expect(stderr).toContain("user name or password is wrong")
    })
  },
)
