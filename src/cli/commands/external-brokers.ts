import type { Command } from "commander"
import type { Start } from "../terminal/context.ts"
import type { MosquittoOptions } from "../external-brokers/mosquitto/mosquitto-folder.ts"
import { port } from "./option-parsers.ts"
import type { RabbitmqOptions } from "../external-brokers/rabbitmq/rabbitmq-folder.ts"

const SHARED_OPTIONS = "\n--lan, --loopback, --listen and --port are those of mqttchat broker."

/** What puts a broker of another make in the place of the embedded one: broker mosquitto, broker rabbitmq. */
export function addExternalBrokers(broker: Command, start: Start): void {
  broker
    .command("mosquitto <folder>")
    .description("write all that Mosquitto needs instead of the embedded broker, and say what starts it")
    .option("--host <name>", "what others type, if it is not the address where it listens")
    .option("--guest-port <number>", "where newcomers come in (default: 8884)", port)
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
    .description("the same for one node of RabbitMQ")
    .option("--host <name>", "what others type, if it is not the address where it listens")
    .option("--registrar-port <number>", "where on loopback it asks the registrar (default: 15880)", port)
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
