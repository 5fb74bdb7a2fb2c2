import { spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { Running } from "../cli/cli-fixture.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { ScenarioFixture } from "./scenario-fixture.ts"

/** Debian installs Paho for its own Python, which need not be the first in PATH. */
const PYTHON = "/usr/bin/python3"
const SCRIPT = join(import.meta.dirname, "paho-client.py")
const VERSIONS = ["5", "3.1.1", "3.1"] as const
const LEVELS = ["0", "1", "2"] as const

function pahoIsMissing(): boolean {
  const found = spawnSync(PYTHON, ["-c", "import paho.mqtt.client"]).status === 0
  if (!found && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error("Paho's client is not installed: apt-get install python3-paho-mqtt")
  }
  return !found
}

describe.skipIf(mosquittoIsMissing() || pahoIsMissing())(
  "mqttchat as a plain client together with Paho",
  () => {
    const fixture = new ScenarioFixture()
    const alice = fixture.user("alice")
    const password = join(fixture.folder, "password")
    let broker: Mosquitto
    beforeAll(async () => {
      broker = await startMosquitto("plain")
      writeFileSync(password, "correct\n", { mode: 0o600 })
    })
    afterAll(async () => {
      await fixture.end()
      await broker.close()
    })

    const ours = (version: string, qos: string): readonly string[] => [
      ...["--host", "127.0.0.1", "--port", String(broker.port), "--mqtt-version", version, "--qos", qos],
      ...["--username", "alice", "--password-file", password],
    ]

    function paho(...args: readonly string[]): Running {
      const child = spawn(PYTHON, [SCRIPT, String(broker.port), ...args], { stdio: "pipe" })
      onTestFinished(() => void child.kill("SIGKILL"))
      return new Running(child)
    }

    test.each(VERSIONS)("Paho receives what pub publishes in MQTT %s, unchanged", async (version) => {
      const listener = paho(version, "sub", `to-paho/${version}/#`)
      await listener.prints(/^subscribed$/m)
      for (const qos of LEVELS) {
        const { code } = await alice.run(["pub", `to-paho/${version}/${qos}`, "grüße", ...ours(version, qos)])
        expect(code).toBe(0)
        await listener.prints(new RegExp(`^${qos} to-paho/${version}/${qos} grüße$`, "m"))
      }
    })

    test.each(VERSIONS)("sub prints what Paho publishes in MQTT %s, unchanged", async (version) => {
      const listener = alice.start(["sub", `to-us/${version}/#`, ...ours(version, "2"), "--json"])
      await listener.prints(/subscribed to/)
      for (const qos of LEVELS) {
        const topic = `to-us/${version}/${qos}`
        await paho(version, "pub", topic, "grüße", qos).prints(/^published$/m)
        const received = await listener.waitForOutput((output) => output["topic"] === topic)
        expect(received).toMatchObject({ qos: Number(qos), text: "grüße", retain: false })
      }
    })
  },
)
