import { readFileSync } from "node:fs"
import { join } from "node:path"
import { DEVICES_ACL, GUESTS_ACL } from "../src/cli/external-brokers/mosquitto/mosquitto-acl.ts"
import { mosquittoConfiguration } from "../src/cli/external-brokers/mosquitto/mosquitto-files.ts"
import { PLUGINS, rabbitmqConfiguration } from "../src/cli/external-brokers/rabbitmq/rabbitmq-files.ts"
import { accessTable, deviceRole, emqxRules, sharedRole, topicTable } from "./access-docs.ts"
import { confusables } from "./confusables-table.ts"
import { commandNames, manualPages } from "./command-docs.ts"
import { frameTable } from "./frame-docs.ts"

const ROOT = join(import.meta.dirname, "..")
/** As `mqttchat broker mosquitto` and `broker rabbitmq` would write them for Debian's folders. */
const MOSQUITTO = {
  folder: "/etc/mosquitto/mqttchat",
  data: "/var/lib/mosquitto",
  pidFile: "/run/mosquitto/mosquitto.pid",
  user: undefined,
  listen: undefined,
  port: 8883,
  guestPort: 8884,
}
const RABBITMQ = { folder: "/etc/rabbitmq/mqttchat", listen: undefined, port: 8883, registrarPort: 15880 }

/** The other files of `npm run docs`, apart from the API pages and state drawings: the text of each by its path. */
export const GENERATED_FILES: ReadonlyMap<string, string> = new Map([
  ["mosquitto/devices.acl", DEVICES_ACL],
  ["mosquitto/guests.acl", GUESTS_ACL],
  ["mosquitto/mosquitto.conf", mosquittoConfiguration(MOSQUITTO)],
  ["mosquitto/dynamic-security.sh", withParts("mosquitto/dynamic-security.sh", { sharedRole, deviceRole })],
  ["rabbitmq/rabbitmq.conf", rabbitmqConfiguration(RABBITMQ)],
  ["rabbitmq/enabled_plugins", PLUGINS],
  ["docs/brokers.md", withParts("docs/brokers.md", { accessTable, emqxRules })],
  ["src/wire/SPEC.md", withParts("src/wire/SPEC.md", { topicTable, frameTable })],
  ["src/wire/confusables.ts", confusables()],
  ["src/cli/terminal/command-names.ts", commandNames()],
  ["package.json", manualPages(read("package.json"))],
])

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8")
}

/** The file with each part rewritten: the lines between `NAME: written by ...` and `end of NAME`. */
function withParts(path: string, parts: Readonly<Record<string, () => string>>): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const lines = text.split("\n")
    const begin = lines.findIndex((line) => line.includes(`${name}: written by npm run docs`))
    const end = lines.findIndex((line) => line.includes(`end of ${name}`))
    if (begin === -1 || end < begin) throw new Error(`${path} has no place for ${name}`)
    return [...lines.slice(0, begin + 1), part(), ...lines.slice(end)].join("\n")
  }, read(path))
}
