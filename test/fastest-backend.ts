import { useBackend } from "../src/crypto/nacl.ts"

// As every program does that keeps running. The one in use before is the slowest; test/crypto compares all of them.
await useBackend(process.env["MQTTCHAT_CRYPTO"])
