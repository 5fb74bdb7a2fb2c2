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
    .description("hold the profile open for commands, scripts and bots until Ctrl+C (docs/api.md)")
    .option("--stdio", "serve stdin and stdout besides, and end with stdin")
    .option(
      "--tcp <place>",
      "serve [HOST:]PORT of this machine besides, to whoever shows the token",
      loopback,
    )
    .option("--lock-after <time>", "forget the keys after so long without a request, as 15m", duration)
    .option("--end-after <time>", "end after so long without a request or a listener", duration)
    .option("--service [file]", "do not run: write a systemd unit that does (- is stdout)")
    .addOption(
      new Option("--on-demand <switch>", "do not run: let other commands start a daemon").choices([
        "on",
        "off",
      ]),
    )
    .action((flags: DaemonFlags) =>
      start(async (context) => {
        if (flags.onDemand !== undefined)
          await (await import("../profile/on-demand-daemon.ts")).setOnDemand(context, flags.onDemand === "on")
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
  control("unlock", "open the keys of the running daemon again")
  control("lock", "let it forget the keys; it disconnects and keeps running")
  control("stop", "end it")
  control("status", "whether it runs, and whether its keys are locked")
}
