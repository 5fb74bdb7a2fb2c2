import { join } from "node:path"

/** Where `build.ts` puts the bundles of the actors: below the project, so that they find its packages. */
export const ACTORS_FOLDER = join(import.meta.dirname, ".actors")

/**
 * The program with its fault points, which what ships has not: `MQTTCHAT_DIE_AT` names the one where it kills itself. It
 * locks files at a test's cost.
 */
export const CRASH_PROGRAM = join(ACTORS_FOLDER, "program/mqttchat.cjs")

/** What `node` runs for the actor `NAME.actor.ts`, bundled, since a start from source takes ten times as long. */
export function actorFile(name: string): string {
  return join(ACTORS_FOLDER, `${name}.mjs`)
}
