import { fromHex } from "../../src/crypto/bytes.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"

/** Prints the result of the first connection to a broker whose key is pinned. */
const [port = "", pin = ""] = process.argv.slice(2)
const transport = connectMqtt(
  {
    address: { host: "127.0.0.1", port: Number(port) },
    trust: { kind: "pin", pin: fromHex(pin) },
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
