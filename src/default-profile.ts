/** The profile of a command without `--profile`. In a file of its own because it is needed before anything else is loaded. */
export const DEFAULT_PROFILE = "default"
