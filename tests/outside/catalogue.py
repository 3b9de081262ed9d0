#!/usr/bin/env python3
"""Reads the catalogue with tools that know nothing of this program, and compares what they see.

    catalogue.py DIR [--instances N] [--studies N]

DIR holds the Delta Lake tables `instances` and `studies`. Readers that are installed are used (pip install
deltalake polars duckdb pyarrow); the others are named as skipped. Prints what each reader counts.
Exit status: 0 all agree, 1 a count is wrong, 3 no reader that knows Delta Lake is installed.
"""

import argparse
import importlib.util
import pathlib
import sys

def tally(table, rows):
    """The same figures from any reader's list of dicts."""
    total = lambda name: sum(row[name] or 0 for row in rows)
    figures = {"rows": len(rows), "received": total("ReceivedBytes"), "held": total("HeldBytes")}
    if table == "studies":
        figures["uids"] = len({row["StudyInstanceUID"] for row in rows})
        figures["said"] = total("NumberOfStudyRelatedInstances")
    else:
        figures["studies"] = len({row["StudyInstanceUID"] for row in rows})
    return figures


def with_deltalake(path):
    import deltalake
    import pyarrow

    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(path)).execute("SELECT * FROM t")
    return pyarrow.table(query.read_all()).to_pylist()


def with_polars(path):
    import polars

    return polars.read_delta(path).to_dicts()


def with_duckdb(path):
    """DuckDB over the Parquet files that the log names, since its Delta extension has to be downloaded."""
    import deltalake
    import duckdb

    files = deltalake.DeltaTable(path).file_uris()
    if not files:
        return []
    return duckdb.connect().read_parquet(files).to_arrow_table().to_pylist()


READERS = {
    "deltalake": (with_deltalake, ["deltalake", "pyarrow"]),
    "polars": (with_polars, ["deltalake", "polars"]),
    "duckdb": (with_duckdb, ["deltalake", "duckdb", "pyarrow"]),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dir", type=pathlib.Path)
    arguments.add_argument("--instances", type=int)
    arguments.add_argument("--studies", type=int)
    given = arguments.parse_args()
    wrong, read = [], 0
    first = {}
    for name, (reader, needs) in READERS.items():
        missing = [module for module in needs if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{name}: skipped, not installed: {', '.join(missing)}")
            continue
        read += 1
        seen = {table: tally(table, reader(str(given.dir / table))) for table in ("instances", "studies")}
        print(f"{name}: {seen}")
        for table, expected in (("instances", given.instances), ("studies", given.studies)):
            if expected is not None and seen[table]["rows"] != expected:
                wrong.append(f"{name} reads {seen[table]['rows']} {table}, not {expected}")
        if seen["studies"]["uids"] != seen["studies"]["rows"]:
            wrong.append(f"{name} reads a study more than once")
        if seen["studies"]["said"] != seen["instances"]["rows"]:
            wrong.append(f"{name}: studies speak of {seen['studies']['said']} instances")
        for figure in ("received", "held"):
            if seen["studies"][figure] != seen["instances"][figure]:
                wrong.append(f"{name}: {figure} bytes of studies and of instances differ")
        if first.setdefault("seen", seen) != seen:
            wrong.append(f"{name} sees other rows than the reader before")
    for sentence in wrong:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return 1 if wrong else 0 if read else 3


if __name__ == "__main__":
    sys.exit(main())
