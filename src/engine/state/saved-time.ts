import { decode, type Reader, Writer } from "../../wire/codec.ts"
import type { EngineTime, SavedTime } from "./engine-time.ts"

/** A boot is named by a UUID. */
const BOOT_MAX = 64

/** boot | uptime u64 | newest u64 | since u64 | away known u8 | agreed: time u64, wall u64 | flag | with it: borne out: time u64, wall u64, boot. */
export function encodeTime({ boot, uptime, newest, since, ...rest }: SavedTime): Uint8Array {
  const { isAwayKnown, agreed, borneOut } = rest
  const writer = new Writer().text(boot).u64(whole(uptime)).u64(whole(newest)).u64(whole(since))
  writer
    .u8(isAwayKnown ? 1 : 0)
    .u64(whole(agreed.time))
    .u64(whole(agreed.wall))
  if (borneOut === undefined) return writer.u8(0).done()
  return writer.u8(1).u64(whole(borneOut.time)).u64(whole(borneOut.wall)).text(borneOut.boot).done()
}

/** Undefined for nothing yet. */
export function decodeTime(bytes: Uint8Array): SavedTime | undefined {
  return decode(bytes, (reader) => {
    const [boot, uptime, newest] = [reader.text(BOOT_MAX), reader.u64(), reader.u64()]
    const [since, isAwayKnown] = [reader.u64(), reader.flag()]
    const agreed = { time: reader.u64(), wall: reader.u64() }
    const borneOut = reader.flag() ? readBorneOut(reader) : undefined
    return { boot, uptime, newest, origin: newest - uptime, since, isAwayKnown, agreed, borneOut }
  })
}

function readBorneOut(reader: Reader): EngineTime["borneOut"] {
  return { time: reader.u64(), wall: reader.u64(), boot: reader.text(BOOT_MAX) }
}

/** Milliseconds; a clock may stand before 1970. */
function whole(ms: number): number {
  return Math.max(0, Math.floor(ms))
}
