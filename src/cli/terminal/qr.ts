/** Printed only if the terminal is large enough for it. */
export async function showQr(text: string): Promise<void> {
  const { renderUnicodeCompact } = await import("uqr")
  const code = renderUnicodeCompact(text, { border: 1 })
  const rows = code.split("\n")
  const { stderr } = process
  const fits = stderr.isTTY && rows.length + 2 <= stderr.rows && (rows[0]?.length ?? 0) <= stderr.columns
  if (fits) stderr.write(`${code}\n`)
}
