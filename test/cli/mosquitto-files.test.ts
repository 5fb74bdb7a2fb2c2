import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import {
  DEVICES_ACL,
  GUESTS_ACL,
  mosquittoConfiguration,
} from "../../src/cli/external-brokers/mosquitto/mosquitto-files.ts"

test("the files in mosquitto/ are what `broker mosquitto` would write for Debian's folders", () => {
  const debian = {
    folder: "/etc/mosquitto/mqttchat",
    data: "/var/lib/mosquitto",
    pidFile: "/run/mosquitto/mosquitto.pid",
    user: undefined,
  }
  const written = {
    "mosquitto.conf": mosquittoConfiguration({ ...debian, listen: undefined, port: 8883, guestPort: 8884 }),
    "devices.acl": DEVICES_ACL,
    "guests.acl": GUESTS_ACL,
  }
  for (const [name, text] of Object.entries(written))
    expect(readFileSync(join(import.meta.dirname, "../../mosquitto", name), "utf8")).toBe(text)
})
