import type { Candidate, Clause, CompletionTable, Suggestion } from "./completion-table.ts"

/** fish escapes what it inserts. A tab separates a word from its description; no name contains one. */
export function fishScript({ commandPaths, valued, values, flags, words }: CompletionTable): string {
  return `function __mqttchat_suggest
    set -l place /
    set -l flag ''
    set -l profile ''
    set -l count 0
    set -l typed (commandline -opc)
    set -e typed[1]
    for word in $typed
        if test -n "$flag"; and not string match -qr -- '^-.' $word
            test "$flag" = --profile; and set profile $word
            set flag ''
            continue
        end
        set flag ''
        if string match -q -- '--profile=*' $word
            set profile (string replace -- '--profile=' '' $word)
        else if string match -qr -- '^-.' $word
            switch "$place:$word"
                case ${valued.map(quoted).join(" ")}
                    set flag $word
            end
        else
            switch "$place$word/"
                case ${commandPaths.map(quoted).join(" ")}
                    set place "$place$word/"
                case '*'
                    set count (math $count + 1)
            end
        end
    end
    set -l cur (commandline -ct)
    set -l before ''
    if string match -q -- '--*=*' $cur
        set flag (string replace -r -- '=.*' '' $cur)
        set before "$flag="
    end
    if test -z "$before"; and string match -q -- '-*' $cur
${flags.map(ifAt).join("\n")}
    else if test -n "$flag"
${cases("$place:$flag", values)}
    else
${cases("$place:$count", words)}
    end
end
complete -c mqttchat -f -a '(__mqttchat_suggest)'
`
}

function ifAt({ patterns, suggestion }: Clause): string {
  const pattern = patterns.map(quoted).join(" ")
  return `        string match -q -- ${pattern} $place; and ${action(suggestion)}`
}

function cases(subject: string, clauses: readonly Clause[]): string {
  const rows = clauses.map(
    ({ patterns, suggestion }) =>
      `            case ${patterns.map(quoted).join(" ")}\n                ${action(suggestion)}`,
  )
  return `        switch "${subject}"\n${rows.join("\n")}\n        end`
}

function action(suggestion: Suggestion): string {
  switch (suggestion.kind) {
    case "words":
      return `printf '%s\\n' ${suggestion.candidates.map(described).join(" ")}`
    case "contact":
      return 'command mqttchat-contacts "$profile" 2>/dev/null'
    case "file":
      return "__fish_complete_path $cur"
    case "folder":
      return "__fish_complete_directories $cur ''"
  }
}

function described({ word, about }: Candidate): string {
  return `"$before"${quoted(about === "" ? word : `${word}\t${about}`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
}
