import { globalIgnores } from "eslint/config"
import tseslint from "typescript-eslint"

/** Rooms that only compute: time, chance and the process are handed to them. */
const PURE = [
  "src/wire/**",
  "src/account/**",
  "src/pairing/**",
  "src/session/**",
  "src/engine/messages/apply-frame.ts",
  "src/engine/messages/enqueue.ts",
  "src/engine/connection/broker-st*.ts",
  "src/engine/connection/*-steps.ts",
  "src/engine/api.ts",
  "src/engine/state/{commands,events,outgoing,shapes,update}.ts",
  "src/broker/acl.ts",
]

const HIDDEN_WORLD = [
  "Date",
  "process",
  "console",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "fetch",
  "crypto",
]

export default tseslint.config(
  globalIgnores(["dist", "test/.actors", "coverage", "reports", ".stryker-tmp"]),
  {
    files: ["src/**/*.ts", "test/**/*.ts", "scripts/**/*.ts", "*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/consistent-type-definitions": ["error", "type"],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "max-lines": ["error", { max: 400, skipBlankLines: false }],
      "max-lines-per-function": ["error", { max: 70 }],
      "max-params": ["error", { max: 4 }],
      "max-depth": ["error", 3],
      // An exhaustive switch over a union is one decision, however many members the union has.
      complexity: ["error", { max: 12, variant: "modified" }],
      "no-console": "error",
      "no-useless-catch": "error",
      "no-warning-comments": "error",
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "chance is handed in as Random" },
        { object: "vi", property: "mock", message: "tests run the real thing" },
      ],
    },
  },
  // SQLite sets the signatures of a VFS.
  { files: ["src/store/vfs.ts"], rules: { "max-params": ["error", { max: 5 }] } },
  { files: PURE, rules: { "no-restricted-globals": ["error", ...HIDDEN_WORLD] } },
  {
    files: ["test/**/*.ts"],
    rules: { "max-lines-per-function": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
)
