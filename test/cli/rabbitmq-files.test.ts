import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { PLUGINS, rabbitmqConfiguration } from "../../src/cli/external-brokers/rabbitmq/rabbitmq-files.ts"

test("the files in rabbitmq/ are what `broker rabbitmq` would write for Debian's folders", () => {
  const debian = { folder: "/etc/rabbitmq/mqttchat", listen: undefined, port: 8883, registrarPort: 15880 }
  const written = { "rabbitmq.conf": rabbitmqConfiguration(debian), enabled_plugins: PLUGINS }
  for (const [name, text] of Object.entries(written))
    expect(readFileSync(join(import.meta.dirname, "../../rabbitmq", name), "utf8")).toBe(text)
})
