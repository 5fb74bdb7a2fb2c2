export function code(text: string): string {
  return `\`${text}\``
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  return [row(head), `|${"---|".repeat(head.length)}`, ...rows.map(row)].join("\n")
}
