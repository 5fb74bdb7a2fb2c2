import type { SettingKey } from "../../store/setting-key.ts"
import type { Decision } from "./decision.ts"
import type { EngineState } from "./engine-state.ts"

/** What the profile remembers under this key, empty for nothing yet. */
export function profileSetting(state: EngineState, key: SettingKey): Uint8Array {
  return state.settings.get(key) ?? new Uint8Array(0)
}

export function saveProfileSetting(key: SettingKey, value: Uint8Array): Decision<null> {
  return { commit: [{ kind: "setting", key, value: new Uint8Array(value) }], effects: [], result: null }
}
