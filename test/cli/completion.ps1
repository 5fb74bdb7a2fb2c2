Register-ArgumentCompleter -Native -CommandName mqttchat -ScriptBlock {
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
            $at = "${place}:$word"
            if ($at -clike '/*:--profile' -or $at -clike '/send/*:-f' -or $at -clike '/send/*:--file' -or $at -clike '/sub/*:--qos') { $flag = $word }
        } elseif (@('/send/', '/sub/', '/sub/up/', '/sub/help/', '/sub/help/up/', '/help/', '/help/send/', '/help/sub/', '/help/sub/up/') -ccontains "$place$word/") {
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
        if ($place -clike '/*') { & $offer '--profile' 'which one'; & $offer '--help' 'display help for command' }
        if ($place -clike '/send/*') { & $offer '--file' 'from' }
        if ($place -clike '/sub/*') { & $offer '--qos' 'quality' }
    } elseif ($flag) {
        $at = "${place}:$flag"
        if ($at -clike '/sub/*:--qos') { & $offer '0' ''; & $offer '1' '' }
    } else {
        $at = "${place}:$count"
        if ($at -clike '/:0') { & $offer 'send' 'it''s one message'; & $offer 'sub' ''; & $offer 'help' 'display help for command' }
        if ($at -clike '/send/:0') { & $contacts }
        if ($at -clike '/sub/:0') { & $offer 'up' ''; & $offer 'help' 'display help for command' }
        if ($at -clike '/sub/help/:0') { & $offer 'up' '' }
        if ($at -clike '/help/:0') { & $offer 'send' 'it''s one message'; & $offer 'sub' '' }
        if ($at -clike '/help/sub/:0') { & $offer 'up' '' }
    }
}
