import type { Clause, CompletionTable, Suggestion } from "./completion-table.ts"

/** PowerShell inserts a candidate unchanged: a name of more than letters and digits is put in single quotes. */
export function powershellScript({ commandPaths, valued, values, flags, words }: CompletionTable): string {
  return `Register-ArgumentCompleter -Native -CommandName mqttchat -ScriptBlock {
    param($cur, $line, $cursor)
    $place = '/'
    $flag = ''
    $person = ''
    $count = 0
    foreach ($element in $line.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursor) { break }
        $word = if ($null -ne $element.Value) { [string]$element.Value } else { $element.Extent.Text }
        if ($flag -and $word -notmatch '^-.') {
            if ($flag -ceq '--profile') { $person = $word }
            $flag = ''
            continue
        }
        $flag = ''
        if ($word -cmatch '^--profile=(.*)') {
            $person = $Matches[1]
        } elseif ($word -match '^-.') {
            $at = "\${place}:$word"
            if (${likeAny("$at", valued)}) { $flag = $word }
        } elseif (@(${commandPaths.map(quoted).join(", ")}) -ccontains "$place$word/") {
            $place = "$place$word/"
        } else {
            $count += 1
        }
    }
    $offer = {
        param($word, $about)
        if (-not $word.StartsWith($cur)) { return }
        if (-not $about) { $about = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
    $contacts = {
        $typed = $cur.Trim("'", '"')
        foreach ($name in & mqttchat-contacts $person 2>$null) {
            if (-not $name.StartsWith($typed)) { continue }
            $safe = [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($name)
            $text = if ($name -match '^[A-Za-z0-9]+$') { $name } else { "'$safe'" }
            [System.Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $name)
        }
    }
    if ($cur -like '-*') {
${flags.map((clause) => ifAt("$place", clause)).join("\n")}
    } elseif ($flag) {
        $at = "\${place}:$flag"
${values
  .filter(isOurs)
  .map((clause) => ifAt("$at", clause))
  .join("\n")}
    } else {
        $at = "\${place}:$count"
${words
  .filter(isOurs)
  .map((clause) => ifAt("$at", clause))
  .join("\n")}
    }
}
`
}

function ifAt(subject: string, { patterns, suggestion }: Clause): string {
  return `        if (${likeAny(subject, patterns)}) { ${action(suggestion)} }`
}

/** If we offer nothing, PowerShell completes files by itself. */
function isOurs({ suggestion: { kind } }: Clause): boolean {
  return kind === "words" || kind === "contact"
}

function action(suggestion: Suggestion): string {
  if (suggestion.kind === "contact") return "& $contacts"
  if (suggestion.kind !== "words") return ""
  return suggestion.candidates
    .map(({ word, about }) => `& $offer ${quoted(word)} ${quoted(about)}`)
    .join("; ")
}

function likeAny(subject: string, patterns: readonly string[]): string {
  return patterns.map((pattern) => `${subject} -clike ${quoted(pattern)}`).join(" -or ")
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
