process.stdout;process.stderr
