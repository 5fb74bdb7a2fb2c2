import { toJsonSchema } from "@valibot/to-json-schema"
import { format, resolveConfig } from "prettier"
import type { GenericSchema } from "valibot"
import manifest from "../package.json" with { type: "json" }
import { MEANING } from "../src/cli/shell/fault-meanings.ts"
import { ACCESS, COMMANDS, EVENTS } from "../src/engine/api.ts"
import * as pairing from "../src/engine/state/pairing-shapes.ts"
import * as shape from "../src/engine/state/shapes.ts"
import { ADMIN_COMMANDS } from "../src/registrar/admin/commands.ts"
import * as adminShape from "../src/registrar/admin/shapes.ts"
import { RPC_ERROR } from "../src/daemon/rpc.ts"
import { EXIT_CODE, type FaultCode } from "../src/errors.ts"

/** `npm run docs` writes the part of docs/api.md after this line. */
export const GENERATED = "<!-- Everything below is written by `npm run docs`. -->\n"

type Json = { readonly [key: string]: unknown }
type Described = { readonly about: string; readonly params: GenericSchema; readonly result?: GenericSchema }

/** Shapes that answers and events have in common. */
const SHAPES = {
  Contact: shape.contact,
  Message: shape.message,
  Connection: shape.connection,
  Status: shape.status,
  Offer: pairing.offer,
  User: adminShape.user,
  Device: adminShape.device,
  Invite: adminShape.invite,
  BrokerStatus: adminShape.brokerStatus,
}

const METHODS: Readonly<Record<string, Described>> = { ...COMMANDS, ...ACCESS }
const OPERATOR_METHODS: Readonly<Record<string, Described>> = ADMIN_COMMANDS

const OPERATOR_SOCKET =
  "The running broker or registrar answers these on the Unix socket `broker.sock`, next to `owner.sock` and protected like it; " +
  "`mqttchat broker users` and the like use them. There are no events."

const ERROR: Record<keyof typeof RPC_ERROR, string> = {
  parse: "the line is not JSON",
  request: "it is no request, or longer than 512 KiB",
  method: "there is no such method",
  params: "the parameters do not fit: `message` says which one",
  fault: "it could not be done: `data.code` and `data.hint` say more",
}

/** The document in OpenRPC (spec.open-rpc.org), formatted. */
export async function openRpc(): Promise<string> {
  const document = {
    openrpc: "1.3.2",
    info: { title: "mqttchat", version: manifest.version, license: { name: manifest.license } },
    methods: Object.entries(METHODS).map(methodObject),
    "x-operator-methods": Object.entries(OPERATOR_METHODS).map(methodObject),
    "x-notifications": Object.entries(EVENTS).map(([name, { about, params }]) => ({
      name,
      description: about,
      schema: schemaOf(params),
    })),
    components: {
      schemas: Object.fromEntries(Object.keys(SHAPES).map((name) => [name, definitionOf(name)])),
    },
  }
  return formatted(JSON.stringify(document), "json")
}

function methodObject([name, { about, params, result }]: [string, Described]): Json {
  return {
    name,
    description: about,
    paramStructure: "by-name",
    params: parametersOf(params),
    result: { name: "result", schema: result && schemaOf(result) },
  }
}

/** The generated part of docs/api.md, formatted. */
export async function methodPages(): Promise<string> {
  const parts = [
    "## Methods",
    ...Object.entries(METHODS).map(([name, method]) => page(name, method)),
    "## Events",
    ...Object.entries(EVENTS).map(([name, event]) => page(name, event)),
    "## Operator's methods",
    OPERATOR_SOCKET,
    ...Object.entries(OPERATOR_METHODS).map(([name, method]) => page(name, method)),
    "## Shapes",
    ...Object.keys(SHAPES).map((name) => `### ${name}\n\n${fieldsOf(definitionOf(name))}`),
    "## Errors",
    table(
      ["`code`", ""],
      Object.entries(RPC_ERROR).map(([name, code]) => [`${code}`, ERROR[name as keyof typeof ERROR]]),
    ),
    "`data.code` is one of these; a command that fails so ends with the exit code.",
    table(
      ["`data.code`", "exit code", ""],
      Object.entries(EXIT_CODE).map(([code, exit]) => [`\`${code}\``, `${exit}`, MEANING[code as FaultCode]]),
    ),
  ]
  return formatted(parts.join("\n\n"), "markdown")
}

function page(name: string, { about, params, result }: Described): string {
  const asked = fieldsOf(schemaOf(params))
  const answer = result === undefined ? "" : `Result: ${typeOf(schemaOf(result))}`
  return [`### ${name}`, about, asked, answer].filter((part) => part !== "").join("\n\n")
}

/** A table of the fields of an object, or of each of several objects. */
function fieldsOf(schema: Json): string {
  const variants = schema["oneOf"] ?? schema["anyOf"]
  if (Array.isArray(variants)) return (variants as Json[]).map(fieldsOf).join("\n\nor\n\n")
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>)
  if (properties.length === 0) return ""
  const required = schema["required"] as readonly string[]
  const rows = properties.map(([name, field]) => {
    const isOptional = !required.includes(name)
    return [`\`${name}\``, typeOf(field), remarks(field, isOptional)]
  })
  return table(["field", "type", ""], rows)
}

function remarks(field: Json, isOptional: boolean): string {
  const { default: otherwise, description, minimum, maximum, maxLength } = field
  return [
    ...(isOptional
      ? [otherwise === undefined ? "may be left out" : `else \`${JSON.stringify(otherwise)}\``]
      : []),
    ...(typeof minimum === "number" && typeof maximum === "number" ? [`${minimum} to ${maximum}`] : []),
    ...(typeof maxLength === "number" ? [`at most ${maxLength} characters`] : []),
    ...(typeof description === "string" ? [description] : []),
  ].join("; ")
}

function typeOf(schema: Json): string {
  const { $ref, type, anyOf, items } = schema
  if (typeof $ref === "string") {
    const name = $ref.split("/").at(-1) ?? ""
    return `[${name}](#${name.toLowerCase()})`
  }
  if ("const" in schema) return `\`${JSON.stringify(schema["const"])}\``
  if (Array.isArray(schema["enum"]))
    return schema["enum"].map((value) => `\`${JSON.stringify(value)}\``).join(", ")
  if (Array.isArray(anyOf)) return (anyOf as Json[]).map(typeOf).join(" or ")
  if (type === "array") return `list of ${typeOf(items as Json)}`
  if (type === "object") return objectType(schema)
  return String(type)
}

function objectType(schema: Json): string {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>)
  const fields = properties.map(([name, field]) => `\`${name}\` (${typeOf(field)})`)
  return `object with ${fields.join(", ")}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}

function parametersOf(params: GenericSchema): Json[] {
  const { properties, required } = schemaOf(params) as { properties: Json; required: readonly string[] }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    required: required.includes(name),
    schema,
  }))
}

function schemaOf(schema: GenericSchema): Json {
  const own = Object.entries(converted(schema)).filter(([key]) => !["$schema", "$defs"].includes(key))
  return Object.fromEntries(own)
}

function definitionOf(name: string): Json {
  return (converted(SHAPES[name as keyof typeof SHAPES])["$defs"] as Record<string, Json>)[name] ?? {}
}

function converted(schema: GenericSchema): Json {
  const found = toJsonSchema(schema, {
    typeMode: "input",
    definitions: SHAPES,
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  })
  return { ...found }
}

async function formatted(text: string, parser: "json" | "markdown"): Promise<string> {
  return format(text, { ...(await resolveConfig("docs/api.md")), parser })
}
