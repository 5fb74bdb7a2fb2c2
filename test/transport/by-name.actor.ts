import { connectMqtt } from "../../src/transport/mqtt.ts"

/** Prints the result of the first connection to a broker that is verified by name. */
const [port = ""] = process.argv.slice(2)
const transport = connectMqtt(
  {
    address: { host: "localhost", port: Number(port) },
    trust: { kind: "name" },
    credential: { kind: "account", deviceId: "A".repeat(22) },
    mqttVersion: 4,
  },
  {
    onFrame: () => Promise.resolve(),
    onState: (state) => {
      process.stdout.write(state.kind === "online" ? "online" : state.why.message)
      void transport.close()
    },
  },
)
