import type { Command } from "commander"
import type { Start } from "../terminal/context.ts"
import type { MosquittoOptions } from "../external-brokers/mosquitto/mosquitto-folder.ts"
import { port } from "./option-parsers.ts"
import type { RabbitmqOptions } from "../external-brokers/rabbitmq/rabbitmq-folder.ts"

const SHARED_OPTIONS = "\n--lan, --loopback, --listen and --port work as in mqttchat broker."

/** External brokers in place of the embedded one: broker mosquitto, broker rabbitmq. */
export function addExternalBrokers(broker: Command, start: Start): void {
  broker
    .command("mosquitto <folder>")
    .description("write a configuration for Mosquitto as your broker, and print how to start it")
    .option("--host <name>", "the host that others type, if not the address it listens on")
    .option("--guest-port <number>", "port where new devices register (default: 8884)", port)
    .addHelpText("after", SHARED_OPTIONS)
    .action((folder: string, _options: unknown, command: Command) =>
      start(async (context) => {
        const options = command.optsWithGlobals<MosquittoOptions>()
        await (
          await import("../external-brokers/mosquitto/mosquitto-folder.ts")
        ).writeMosquittoFolder(context, folder, options)
      }),
    )
  broker
    .command("rabbitmq <folder>")
    .description("write a configuration for one node of RabbitMQ, and print how to start it")
    .option("--host <name>", "the host that others type, if not the address it listens on")
    .option("--registrar-port <number>", "loopback port where it asks the registrar (default: 15880)", port)
    .addHelpText("after", SHARED_OPTIONS)
    .action((folder: string, _options: unknown, command: Command) =>
      start(async (context) => {
        const options = command.optsWithGlobals<RabbitmqOptions>()
        await (
          await import("../external-brokers/rabbitmq/rabbitmq-folder.ts")
        ).writeRabbitmqFolder(context, folder, options)
      }),
    )
}
