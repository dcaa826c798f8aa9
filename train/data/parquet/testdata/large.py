#!/usr/bin/env python3
"""Writes a large file of conversations, for BenchmarkLarge.

    VENV/bin/python large.py LIBRARY GIGABYTES FILE     (LIBRARY: pyarrow, datasets, polars or duckdb)
    PARQUET_FILE=FILE go test -run '^$' -bench Large -benchtime 1x ..
"""

import random
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def batches(size, rows=20_000):
    """Yields tables until their text has size bytes. A row has two messages and some 2 KB."""
    random.seed(1)
    words = ["".join(random.choices("etaoinshrdlu", k=random.randrange(1, 9))) for _ in range(20_000)]
    written = 0
    while written < size:
        made = []
        for _ in range(rows):
            text = " ".join(random.choices(words, k=random.randrange(20, 700)))
            written += len(text)
            cut = len(text) // 3
            made.append([{"role": "user", "content": text[:cut]}, {"role": "assistant", "content": text[cut:]}])
        yield pa.table({"messages": made, "source": ["made up"] * rows})


def main(library, gigabytes, path):
    tables = batches(float(gigabytes) * 1e9)
    if library == "pyarrow":
        with pq.ParquetWriter(path, next(tables).schema) as writer:
            for table in tables:
                writer.write_table(table)
        return
    table = pa.concat_tables(tables)
    if library == "datasets":
        import datasets

        datasets.Dataset(table).to_parquet(path)
    elif library == "polars":
        import polars

        polars.from_arrow(table).write_parquet(path)
    elif library == "duckdb":
        import duckdb

        duckdb.sql(f"copy (select * from \"table\") to '{path}' (format parquet)")
    else:
        sys.exit(f"unknown library {library}")


main(*sys.argv[1:])
