import "node:os"; import "node:path"; import "node:fs"
