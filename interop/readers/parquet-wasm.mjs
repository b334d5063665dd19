import { readFileSync } from 'node:fs'
import { tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm/node'
import { ofTable } from './arrow.mjs'

export const name = 'parquet-wasm'
export const untold = ['mark']

export const parquet = (path) => ofTable(tableFromIPC(readParquet(readFileSync(path)).intoIPCStream()))
