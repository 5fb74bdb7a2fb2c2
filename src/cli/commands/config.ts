import { Argument, type Command } from "commander"
import { CONFIG_NAMES, configKey, type ConfigName } from "../profile/config-keys.ts"
import type { SetBrokerOptions } from "../profile/set-broker.ts"
import type { Start } from "../terminal/context.ts"

/** config. */
export function addConfig(program: Command, start: Start): void {
  const config = program
    .command("config")
    .description("show and change the settings of this profile")
    .addHelpText("after", keysHelp)
  const key = (): Argument => new Argument("<key>", "one of the keys below").choices(CONFIG_NAMES)
  config
    .command("get")
    .description("print the value of a key")
    .addArgument(key())
    .addHelpText("after", keysHelp)
    .action((name: ConfigName) =>
      start(async (context) => (await import("../profile/config.ts")).getConfig(context, name)),
    )
  config
    .command("set")
    .description("change a key, also in a daemon that is running")
    .addArgument(key())
    .argument("<value>", "as the key wants it")
    .option("--pin <hex>", "for broker: pin of its authority, if it is another one or not publicly trusted")
    .option("--username <name>", "for broker: your account there")
    .option("--password-file <file>", "for broker: its password (- is stdin)")
    .option("--insecure-transport", "for broker: it has no TLS: who talks when is open to the network")
    .addHelpText("after", keysHelp)
    .action((name: ConfigName, value: string, options: SetBrokerOptions) =>
      start(async (context) =>
        (await import("../profile/config.ts")).setConfig(context, { name, value }, options),
      ),
    )
  config
    .command("list")
    .description("print all keys with their values")
    .action(() => start(async (context) => (await import("../profile/config.ts")).listConfig(context)))
}

/** The table of keys, as the help and the manual show it. */
function keysHelp(): string {
  const forms = CONFIG_NAMES.map((name) => `${name} ${configKey(name).form}`)
  const width = Math.max(...forms.map((form) => form.length))
  const rows = CONFIG_NAMES.map((name, at) => `  ${forms[at]?.padEnd(width)}   ${configKey(name).about}`)
  return `\nKeys:\n${rows.join("\n")}`
}
