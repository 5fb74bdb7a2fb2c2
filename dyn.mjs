await import('./empty.mjs')
