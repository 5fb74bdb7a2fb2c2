import { fromHex } from "../../src/crypto/bytes.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"

/** Prints the result of the first connection to a broker that is verified by its pin, or else by its name. */
const [host = "", port = "", pin] = process.argv.slice(2)
const transport = connectMqtt(
  {
    address: { host, port: Number(port) },
    trust: pin === undefined ? { kind: "name" } : { kind: "pin", pin: fromHex(pin) },
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
