import { utf8 } from "../../crypto/bytes.ts"
import { registrationAnswerTopic, SESSION_TAKEN_OVER } from "../../wire/topics.ts"

/** MQTT 3.1.1, section 3.3.1. */
const PUBLISH_QOS_0 = 0x30

/** Tells a device that another connection has its session now, in the one way that MQTT 3.1.1 leaves: a PUBLISH [W-12]. */
export function takenOverPacket(device: string): Buffer {
  const topic = utf8(registrationAnswerTopic(device))
  const payload = Buffer.of(SESSION_TAKEN_OVER)
  const header = Buffer.of(PUBLISH_QOS_0, 2 + topic.length + payload.length, 0, topic.length)
  return Buffer.concat([header, topic, payload])
}
