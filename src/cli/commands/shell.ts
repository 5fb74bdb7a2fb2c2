import { Argument, type Command } from "commander"
import type { Shell } from "../shell/completion.ts"
import type { Start } from "../terminal/context.ts"

const SHELLS: readonly Shell[] = ["bash", "zsh", "fish", "powershell"]

const INSTRUCTIONS = `
bash         source <(mqttchat completion bash)          in ~/.bashrc (bash 4.4 or newer)
zsh          source <(mqttchat completion zsh)           in ~/.zshrc, after compinit
fish         mqttchat completion fish | source           in ~/.config/fish/config.fish
powershell   mqttchat completion powershell | Out-String | Invoke-Expression   in $PROFILE

Contacts' names are completed while the profile is open, as in mqttchat chat. It is never unlocked for that.`

/** completion. */
export function addShell(program: Command, start: Start): void {
  program
    .command("completion")
    .description("print a script that completes commands, flags and contacts in your shell")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .addHelpText("after", INSTRUCTIONS)
    .action((shell: Shell) =>
      start(async (context) =>
        (await import("../shell/completion.ts")).printCompletion(context, shell, program),
      ),
    )
}
