import { randomInt } from "node:crypto"

const given = process.env["MQTTCHAT_FAULT_SEED"]

/** Of all that is random in these tests; whoever sees one fail sets MQTTCHAT_FAULT_SEED to the one that it printed. */
export const SEED = given === undefined ? randomInt(2 ** 31) : Number(given)
