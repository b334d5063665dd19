// Package artifacts holds the formats of what stages hand each other: one file a format, with its schema, its reader
// and its writer. Tables are Parquet; bulk arrays are Arrow IPC files, read through a memory map without copying.
//
// Equal values make equal bytes. What the store keeps is not compressed (compressors' bytes differ by version and
// processor), no file holds a time, a path or the version of a compiler, and columns stand in the order their schema
// declares them. Text is UTF-8 and carries Parquet's string type. Column names are snake_case. A column is optional only
// where null means something.
//
// Every error names the path of the file concerned.
package artifacts
