import { isatty } from "node:tty"

const STANDARD_STREAMS = [0, 1, 2] as const

/**
 * A process whose terminal is gone ends by SIGHUP, as other programs do. At a normal exit Node would try to restore the
 * terminal's settings, fail and abort, and typed text would end up in the core file.
 */
export function endByHangUp(): void {
  const terminals = STANDARD_STREAMS.filter((fd) => isatty(fd))
  if (terminals.length === 0) return
  process.on("exit", () => {
    if (terminals.every((fd) => isatty(fd))) return
    process.removeAllListeners("SIGHUP")
    process.kill(process.pid, "SIGHUP")
  })
}
