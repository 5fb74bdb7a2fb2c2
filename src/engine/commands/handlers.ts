import type { Command, Params, Results } from "../state/commands.ts"

/** The answers to some of the commands. */
export type Handlers<Names extends Command = Command> = {
  readonly [Name in Names]: (params: Params<Name>) => Promise<Results[Name]>
}
