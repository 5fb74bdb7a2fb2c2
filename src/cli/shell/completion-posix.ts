import type { Candidate, Clause, CompletionTable } from "./completion-table.ts"

/** Bash inserts a candidate unchanged, so we quote names; inside quotes we offer only names that are harmless there. */
const BASH = String.raw`
_mqttchat_words() {
  local word
  for word in "$@"; do
    word=${"$"}{word%%:*}
    [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
  done
}
_mqttchat_files() { compopt -o default; }
_mqttchat_folders() { compopt -o dirnames; }
_mqttchat_contacts() {
  local name quoted= typed=${"$"}{cur//\\/}
  [[ $cur == [\"\']* ]] && quoted=yes typed=${"$"}{cur:1}
  while IFS= read -r name; do
    [[ $name == "$typed"* ]] || continue
    if [[ -z $quoted ]]; then
      printf -v name %q "$name"
    elif [[ $name == *[^[:alnum:]\ ._-]* ]]; then
      continue
    fi
    COMPREPLY+=("$name")
  done < <(command mqttchat-contacts "$profile" 2>/dev/null)
}
_mqttchat() {
  local place=/ flag= profile= count=0 cur=${"$"}{COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  _mqttchat_walk "${"$"}{COMP_WORDS[@]:1:COMP_CWORD-1}"
  [[ $cur == '=' ]] && cur=
  _mqttchat_suggest
}
complete -F _mqttchat mqttchat
`

/** compadd quotes what it inserts. */
const ZSH = String.raw`
_mqttchat_words() {
  local -a list=("$@")
  _describe 'mqttchat' list
}
_mqttchat_files() { _files }
_mqttchat_folders() { _files -/ }
_mqttchat_contacts() {
  local -a names=("${"$"}{(@f)$(command mqttchat-contacts "$profile" 2>/dev/null)}")
  compadd -- "${"$"}{(@)names:#}"
}
_mqttchat() {
  local place=/ flag= profile= count=0 cur=
  _mqttchat_walk "${"$"}{(@Q)words[2,CURRENT-1]}"
  if [[ $PREFIX == --*=* ]]; then
    flag=${"$"}{PREFIX%%=*}
    compset -P 1 '*='
  fi
  cur=$PREFIX
  _mqttchat_suggest
}
if [[ ${"$"}{funcstack[1]} == _mqttchat ]]; then
  _mqttchat "$@"
else
  compdef _mqttchat mqttchat
fi
`

export function bashScript(table: CompletionTable): string {
  return `${shared(table)}${BASH}`
}

export function zshScript(table: CompletionTable): string {
  return `#compdef mqttchat\n${shared(table)}${ZSH}`
}

/** The part that bash and zsh share. bash splits `--flag=value` into three words. */
function shared({ commandPaths, valued, values, flags, words }: CompletionTable): string {
  return `_mqttchat_walk() {
  local word
  for word in "$@"; do
    if [[ -n $flag && $word != -?* ]]; then
      [[ $word == '=' ]] && continue
      [[ $flag == --profile ]] && profile=$word
      flag=
      continue
    fi
    flag=
    case $word in
      --profile=*) profile=\${word#*=} ;;
      -?*)
        case $place:$word in
          ${valued.join(" | ")}) flag=$word ;;
        esac
        ;;
      *)
        case $place$word/ in
          ${commandPaths.join(" | ")}) place=$place$word/ ;;
          *) ((count += 1)) ;;
        esac
        ;;
    esac
  done
}
_mqttchat_suggest() {
  if [[ $cur == -* ]]; then
${flags.map((clause) => `    [[ $place == ${clause.patterns.join("")} ]] && ${action(clause)}`).join("\n")}
  elif [[ -n $flag ]]; then
${cases("$place:$flag", values)}
  else
${cases("$place:$count", words)}
  fi
}`
}

function cases(subject: string, clauses: readonly Clause[]): string {
  const rows = clauses.map((clause) => `      ${clause.patterns.join(" | ")}) ${action(clause)} ;;`)
  return `    case ${subject} in\n${rows.join("\n")}\n    esac`
}

function action({ suggestion }: Clause): string {
  return suggestion.kind === "words"
    ? `_mqttchat_words ${suggestion.candidates.map(described).join(" ")}`
    : `_mqttchat_${suggestion.kind}s`
}

function described({ word, about }: Candidate): string {
  return about === "" ? quoted(word) : quoted(`${word}:${about}`)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
