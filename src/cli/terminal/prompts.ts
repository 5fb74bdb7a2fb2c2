import { Fault } from "../../errors.ts"
import type { SafeText } from "../../wire/text.ts"
import type { Context } from "./context.ts"

export type Choice<T> = { readonly name: SafeText; readonly value: T }

/** Asks for a line of text; `flag` is what to give if there is no terminal to ask at. */
export async function askText(
  context: Context,
  question: { message: SafeText; suggested: string; flag: string },
): Promise<string> {
  const { message, suggested } = question
  return String(await ask(context, question.flag, { type: "input", message, default: suggested }))
}

/** Asks for a line that is not shown. */
export async function askSecret(
  context: Context,
  question: { message: SafeText; flag: string },
): Promise<string> {
  return String(await ask(context, question.flag, { type: "password", message: question.message }))
}

export async function askYes(
  context: Context,
  question: { message: SafeText; suggested: boolean; flag: string },
  ended?: AbortSignal,
): Promise<boolean> {
  const { message, suggested } = question
  return true === (await ask(context, question.flag, { type: "confirm", message, default: suggested }, ended))
}

export async function askChoice<T>(
  context: Context,
  question: { message: SafeText; first: Choice<T>; others: readonly Choice<T>[]; flag: string },
): Promise<T> {
  const { message, first, others } = question
  const choices = [first, ...others].map(({ name }, value) => ({ name, value }))
  const chosen = Number(await ask(context, question.flag, { type: "select", message, choices }))
  return (others[chosen - 1] ?? first).value
}

type Question =
  | { type: "input"; message: string; default: string }
  | { type: "password"; message: string }
  | { type: "confirm"; message: string; default: boolean }
  | { type: "select"; message: string; choices: readonly { name: string; value: number }[] }

const ASCII_THEME = { prefix: { idle: "?", done: "ok" }, icon: { cursor: ">" } }

/** inquirer also reads from a pipe, so we check for a terminal before we load it. Once `ended` its reason is thrown. */
async function ask(
  context: Context,
  flag: string,
  question: Question,
  ended?: AbortSignal,
): Promise<unknown> {
  if (!context.isInteractive) {
    throw new Fault("usage", "this needs an answer and there is no terminal to ask at", `give ${flag}`)
  }
  const { default: inquirer } = await import("inquirer")
  const prompt = inquirer.createPromptModule({
    ...{ input: process.stdin, output: process.stderr },
    ...(ended !== undefined && { signal: ended }),
  })
  try {
    const theme = context.out.ascii ? { theme: ASCII_THEME } : {}
    const answers: { answer: unknown } = await prompt([{ ...question, ...theme, name: "answer" }])
    return answers.answer
  } catch (cause) {
    if (ended?.aborted === true) throw ended.reason
    if (!(cause instanceof Error && cause.name === "ExitPromptError")) throw cause
    context.lifetime.end("SIGINT")
    return await new Promise<never>(() => undefined)
  }
}
