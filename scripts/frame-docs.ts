import { FRAMES } from "../src/wire/frame.ts"
import { code, table } from "./markdown.ts"

/** The table of frames in src/wire/SPEC.md. */
export function frameTable(): string {
  const rows = Object.entries(FRAMES).map(([kind, { type, numbered, acknowledged, fields }]) => {
    const body = Object.values<{ readonly layout: string }>(fields).map(({ layout }) => layout)
    return [
      code(type.toString(16).padStart(2, "0")),
      kind.toUpperCase().replaceAll("-", "_"),
      body.length === 0 ? "nothing" : code(body.join(" | ")),
      numbered ? "yes" : "",
      acknowledged ? "yes" : "",
    ]
  })
  return table(["type", "frame", "body", "numbered", "acknowledged"], rows)
}
