import { type Command, Option } from "commander"
import type { Start } from "../terminal/context.ts"
import type { DaemonOptions } from "../daemon/daemon.ts"
import { duration, loopback } from "./option-parsers.ts"

type DaemonFlags = DaemonOptions & {
  readonly service?: string | true
  readonly onDemand?: "on" | "off"
}

/** daemon. */
export function addDaemon(program: Command, start: Start): void {
  const daemon = program
    .command("daemon")
    .description("keep the profile open for commands, scripts and bots until Ctrl+C (docs/api.md)")
    .option("--stdio", "also serve stdin and stdout, and end when stdin ends")
    .option(
      "--tcp <place>",
      "also serve [HOST:]PORT of this machine, to clients that show the token",
      loopback,
    )
    .option("--lock-after <time>", "lock the keys after this long without a request, such as 15m", duration)
    .option("--end-after <time>", "end after this long without a request or a listener", duration)
    .option("--service [file]", "do not run; write a systemd unit (- is stdout)")
    .addOption(
      new Option("--on-demand <switch>", "do not run; set whether other commands start a daemon").choices([
        "on",
        "off",
      ]),
    )
    .action((flags: DaemonFlags) =>
      start(async (context) => {
        if (flags.onDemand !== undefined)
          await (
            await import("../profile/on-demand-setting.ts")
          ).setOnDemand(context, flags.onDemand === "on")
        else if (flags.service !== undefined)
          await (await import("../daemon/service.ts")).writeDaemonService(context, flags.service, flags)
        else await (await import("../daemon/daemon.ts")).runDaemon(context, flags)
      }),
    )
  const control = (name: "unlock" | "lock" | "stop" | "status", description: string): void => {
    daemon
      .command(name)
      .description(description)
      .action(() => start(async (context) => (await import("../daemon/control.ts")).CONTROLS[name](context)))
  }
  control("unlock", "unlock the keys of the running daemon")
  control("lock", "lock its keys; it disconnects and keeps running")
  control("stop", "stop the running daemon")
  control("status", "show whether a daemon is running and its keys are locked")
}
