import { Fault, FAULT_CODES, type FaultCode } from "../errors.ts"

/** A text of 65,276 bytes takes six times as much when every byte of it needs an escape. */
export const REQUEST_BYTES_MAX = 512 * 1024
/** 10,000 messages of ordinary length; ask for more in pages. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024

/** A UUID or a counter; it comes back with the answer. */
const ID_MAX = 128

/** Every version answers this at every socket, so that a client notices a different version. */
export const VERSION_METHOD = "version"

/** JSON-RPC 2.0 section 5.1. */
export const RPC_ERROR = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  /** Ours: a Fault, whose code and hint are in `data`. */
  fault: -32000,
} as const

export type Request = { readonly id: number | string; readonly method: string; readonly params: unknown }

export type RpcError = {
  readonly code: number
  readonly message: string
  readonly data?: { readonly code: FaultCode; readonly hint?: string }
}

/** What comes back: the answer to one request, or an event. */
export type Answer =
  | { readonly kind: "result"; readonly id: number | string | null; readonly result: unknown }
  | { readonly kind: "error"; readonly id: number | string | null; readonly error: RpcError }
  | { readonly kind: "event"; readonly event: unknown }

/** The error answer to a line that is not a request. */
export type InvalidRequest = { readonly id: number | string | null; readonly error: RpcError }

/** A request, or the error to answer with. There are no batches, and no notifications to the owner. */
export function parseRequest(line: string): Request | InvalidRequest {
  const value = parseJson(line)
  if (value === undefined) return { id: null, error: { code: RPC_ERROR.parse, message: "not JSON" } }
  const { jsonrpc, id, method, params } = fields(value)
  const isNamed = isId(id)
  if (jsonrpc !== "2.0" || !isNamed || typeof method !== "string") {
    const error = { code: RPC_ERROR.request, message: "not a JSON-RPC 2.0 request" }
    return { id: isNamed ? id : null, error }
  }
  return { id, method, params: params ?? {} }
}

export function isInvalid(line: Request | InvalidRequest): line is InvalidRequest {
  return "error" in line
}

function isId(id: unknown): id is number | string {
  return typeof id === "string" ? id.length <= ID_MAX : Number.isFinite(id)
}

export function writeRequest({ id, method, params }: Request): string {
  return `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`
}

export function writeAnswer(answer: Answer): string {
  const { kind, ...rest } = answer
  const body = kind === "event" ? { method: "event", params: answer.event } : rest
  return `${JSON.stringify({ jsonrpc: "2.0", ...body })}\n`
}

/** A parsed answer or event of the owner, or undefined for anything else. */
export function parseAnswer(line: string): Answer | undefined {
  const { jsonrpc, id, method, params, result, error } = fields(parseJson(line))
  if (jsonrpc !== "2.0") return undefined
  if (method === "event") return { kind: "event", event: params }
  if (typeof id !== "number" && typeof id !== "string" && id !== null) return undefined
  if (error === undefined) return { kind: "result", id, result }
  const { code, message, data } = fields(error)
  if (typeof code !== "number" || typeof message !== "string") return undefined
  const fault = readData(data)
  return { kind: "error", id, error: { code, message, ...(fault === undefined ? {} : { data: fault }) } }
}

export function errorOf(fault: Fault): RpcError {
  const { code, message, hint } = fault
  const data = { code, ...(hint === undefined ? {} : { hint }) }
  return { code: RPC_ERROR.fault, message, data }
}

/** Rebuilds the Fault of the other side of the socket. */
export function faultOf({ message, data }: RpcError): Fault {
  return new Fault(data?.code ?? "protocol", message, data?.hint)
}

function readData(data: unknown): RpcError["data"] {
  const { code, hint } = fields(data)
  const known = FAULT_CODES.find((name) => name === code)
  if (known === undefined) return undefined
  return { code: known, ...(typeof hint === "string" ? { hint } : {}) }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {}
}
