import manifest from "../package.json" with { type: "json" }

/** What `--version` prints, and what two processes of a profile tell each other when they meet. */
export const VERSION = manifest.version
