#!/usr/bin/python3
"""interop/readers/pandas_csv.py DIR: opens the CSV files that DIR/truth.json lists with pandas, which has no reader of Parquet or Arrow without pyarrow.

Limits of pandas: an empty string is null, as CSV has it; a text ends before its first zero byte; numbers are exact with float_precision="round_trip" alone;
and whole numbers of a column with nulls go through doubles, so that such a column is read as text here.
"""
import json
import struct
import sys

import pandas as pd

TYPES = {"int64": "int64", "float64": "float64", "string": "object", "bool": "boolean"}


def canonical(kind, value):
    """A cell in the form of truth.json."""
    if pd.isna(value):
        return None
    return {"int64": lambda: str(value), "float64": lambda: struct.pack(">d", value).hex(), "bool": lambda: bool(value), "string": lambda: value}[kind]()


def wanted(value):
    return value.split("\0")[0] or None if isinstance(value, str) else value


problems, read = [], 0
folder = sys.argv[1]
for want in json.load(open(folder + "/truth.json")):
    if not want["path"].endswith(".csv"):
        continue
    read += 1
    types = {c["name"]: "object" if c["type"] == "int64" and c["optional"] else TYPES[c["type"]] for c in want["columns"]}
    frame = pd.read_csv(f"{folder}/{want['path']}", dtype=types, keep_default_na=False, na_values=[""], float_precision="round_trip")
    if list(frame.columns) != list(types) or len(frame) != want["rows"]:
        problems.append(f"{want['path']}: {len(frame)} rows of {list(frame.columns)}")
        continue
    for c in want["columns"]:
        for row, (have, value) in enumerate(zip(frame[c["name"]], c["values"])):
            if canonical(c["type"], have) != wanted(value):
                problems.append(f"{want['path']}: {c['name']}, row {row}: {have!r:.200}, want {value!r:.200}")
for p in problems:
    print("problem:", p, file=sys.stderr)
print(f"pandas {pd.__version__}: {read} files, {len(problems)} problems")
sys.exit(bool(problems) or read == 0)
