import { type FileSystem, nodeFiles } from "../../src/store/files.ts"

/** The disk, and how often a page of it has been read: what a statement looks through does not depend on the clock. */
export function countedFiles(): { readonly files: FileSystem; readonly pagesRead: () => number } {
  let pages = 0
  const read: FileSystem["read"] = (file, into, position) => {
    pages += 1
    return nodeFiles.read(file, into, position)
  }
  return { files: { ...nodeFiles, read }, pagesRead: () => pages }
}
