/** What the profile remembers about itself. Data about contacts is never a setting. */
export type SettingKey =
  /** Failed exchanges by code. */
  | "pairing"
  /** The registrar's answer when another device had replaced this one; empty once this one is accepted again. */
  | "replaced"
  /** The newest entry of the registrar's ledger that this device was told of. */
  | "ledger"
  /** A copy of the settings file, as JSON. */
  | "settings"
  /** The file where a log is kept that was found damaged; empty once the conversations say so. */
  | "damaged-log"
  /** How far the engine's time was when it was written, and by which clocks. */
  | "time"
