import { isatty } from "node:tty"

const STANDARD_STREAMS = [0, 1, 2] as const

/**
 * A process whose terminal has gone ends by SIGHUP, as other programs do: at a normal exit Node puts the terminal's
 * settings back, fails at it and aborts, and typed text ends up in the core file.
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
