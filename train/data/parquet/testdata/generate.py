#!/usr/bin/env python3
"""Writes the Parquet files of this folder, and beside each its twin: the rows as JSON lines.

    python3 -m venv VENV
    VENV/bin/pip install pyarrow==26.0.1 datasets==5.2.0 pandas==3.1.1 polars==2.1.0 duckdb==2.0.1
    VENV/bin/python generate.py

TWIN.parquet and TWIN.anything.parquet hold the rows of TWIN.jsonl, as a library reads them back from each.
Files whose names begin with bad- have no twin: they hold what is refused.
"""

import base64
import datetime as dt
import decimal
import json
import pathlib
import random
import uuid

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = pathlib.Path(__file__).parent
random.seed(7)


def plain(value, kind=None):
    """The JSON form of a value that pyarrow returns; kind is its Arrow type."""
    if value is None:
        return None
    if kind is not None and pa.types.is_map(kind):
        return {str(k).lower() if isinstance(k, bool) else str(k): plain(v, kind.item_type) for k, v in value}
    if kind is not None and pa.types.is_struct(kind):
        return {f.name: plain(value[f.name], f.type) for f in kind}
    if kind is not None and (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return [plain(v, kind.value_type) for v in value]
    if isinstance(value, decimal.Decimal):
        return Number(format(value, "f"))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


class Number:
    """A number with its own digits."""

    def __init__(self, text):
        self.text = text


def dumps(row):
    text = json.dumps(mark(row), ensure_ascii=False, separators=(",", ":"))
    return text.replace('"<number ', "").replace(' number>"', "")


def mark(value):
    if isinstance(value, Number):
        return f"<number {value.text} number>"  # json.dumps would round it
    if isinstance(value, dict):
        return {k: mark(v) for k, v in value.items()}
    if isinstance(value, list):
        return [mark(v) for v in value]
    return value


def twin(name, rows):
    """Writes the twin of the file called name, or compares it with that of another file of the same rows."""
    path = HERE / f"{name.split('.')[0]}.jsonl"
    text = "".join(dumps(r) + "\n" for r in rows)
    if path.exists():
        assert path.read_text(encoding="utf-8") == text, name
    path.write_text(text, encoding="utf-8", newline="\n")


def arrow_twin(name):
    table = pq.ParquetFile(HERE / f"{name}.parquet").read()
    twin(name, [{f.name: plain(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()])


def write(name, table, **options):
    pq.write_table(table, HERE / f"{name}.parquet", **options)
    arrow_twin(name)


# ------------------------------------------------------------------------------------------------ conversations

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Zürich"}'}}
CHATS = [
    {"messages": [{"role": "user", "content": "Hi \"there\"\n\t\\ \u0007 \u2028 é 😀"}, {"role": "assistant", "content": ""}], "tools": None},
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
            {"role": "tool", "content": "7 °C", "tool_call_id": "c1"},
            {"role": "assistant", "content": "Cold.", "weight": 1},
        ],
        "tools": '[{"name": "weather"}]',
    },
    {"messages": [], "tools": ""},
    {"messages": None, "tools": None},
    {"messages": [{"role": "assistant", "content": "x", "tool_calls": [], "weight": 0}], "tools": "[]"},
]


def whole(chat):
    """Every key in every message, as a table has them."""
    keys = ("role", "content", "tool_calls", "tool_call_id", "weight")
    messages = chat["messages"]
    return {"messages": None if messages is None else [{k: m.get(k) for k in keys} for m in messages], "tools": chat["tools"]}


def conversations():
    ds = datasets.Dataset.from_list([whole(c) for c in CHATS])
    ds.to_parquet(HERE / "messages.datasets.parquet")
    twin("messages.datasets", list(ds))
    assert list(ds) == [whole(c) for c in CHATS]

    features = datasets.Features({"tools": datasets.List(datasets.Json()), "text": datasets.Value("string")})
    rows = [{"tools": [{"name": "f", "n": 1}, {"other": [None, 1.5]}], "text": "a"}, {"tools": [], "text": None}, {"tools": None, "text": "é"}]
    ds = datasets.Dataset.from_list(rows, features=features)
    ds.to_parquet(HERE / "json.datasets.parquet")
    twin("json.datasets", rows)

    frame = pd.DataFrame([whole(c) for c in CHATS])
    frame.to_parquet(HERE / "messages.pandas.parquet")
    arrow_twin("messages.pandas")
    frame.drop(index=1).to_parquet(HERE / "index.pandas.parquet")  # with a column __index_level_0__
    arrow_twin("index.pandas")

    table = pl.DataFrame([whole(c) for c in CHATS], infer_schema_length=None)
    table.write_parquet(HERE / "messages.polars.parquet")
    twin("messages.polars", table.to_dicts())
    assert table.to_dicts() == [whole(c) for c in CHATS]

    source = pa.Table.from_pylist([whole(c) for c in CHATS])
    duckdb.sql(f"copy (select * from source) to '{HERE}/messages.duckdb.parquet' (format parquet)")
    arrow_twin("messages.duckdb")
    duckdb.sql(f"""copy (select i, 'row ' || (i % 5) as text, case when i % 3 = 0 then null else i / 4 end as x,
        map {{'a': i, 'b': null}} as m, [i, null] as l, (i % 2 = 0) as even, i::utinyint as small, '{{"i":1}}'::json as j
        from range(60) t(i)) to '{HERE}/table.duckdb.parquet' (format parquet, parquet_version v2, codec zstd)""")
    rows = pq.read_table(HERE / "table.duckdb.parquet")
    rows = [{f.name: plain(row[f.name], f.type) for f in rows.schema} for row in rows.to_pylist()]
    twin("table.duckdb", [{**r, "j": json.loads(r["j"])} for r in rows])


# --------------------------------------------------------------------------------- codecs, pages and encodings

WORDS = "the cat sat on a mat and looked at all the others who did not".split()


def sentence():
    return " ".join(random.choice(WORDS) for _ in range(random.randrange(8)))


def stories(n):
    return pa.table({
        "id": pa.array(range(n), pa.int32()),
        "text": [None if i % 11 == 3 else sentence() for i in range(n)],
        "label": [random.choice(["good", "bad", None]) for _ in range(n)],
        "messages": [[{"role": r, "content": sentence()} for r in ("user", "assistant")][: i % 3] if i % 5 else None for i in range(n)],
    })


def pages():
    table = stories(24)
    for version in ("1.0", "2.0"):
        for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
            write(f"stories.{codec}-v{version[0]}", table, compression=codec, data_page_version=version, write_statistics=False)
    pq.write_table(table, HERE / "bad-brotli.parquet", compression="brotli", write_statistics=False)
    many = stories(80)  # in pages that cut rows and lists in many places
    for version in ("1.0", "2.0"):
        write(f"pages.v{version[0]}", many, row_group_size=50, data_page_size=1, write_batch_size=10, data_page_version=version,
              write_page_checksum=True, dictionary_pagesize_limit=300, write_page_index=version == "2.0", compression="zstd", store_schema=False)
    write("empty", table.slice(0, 0))
    with pq.ParquetWriter(HERE / "empty.no-groups.parquet", table.schema):
        pass
    arrow_twin("empty.no-groups")


def encodings():
    n = 150
    def holes(values):
        return [None if i % 13 == 4 else v for i, v in enumerate(values)]
    wide = [random.randrange(-(2**63), 2**63) for _ in range(n)]
    table = pa.table({
        "delta32": pa.array(holes(random.randrange(-(2**31), 2**31) for _ in range(n)), pa.int32()),
        "delta64": pa.array(holes(wide), pa.int64()),
        "delta_steps": pa.array(range(n), pa.int64()),
        "delta_length": pa.array(holes(sentence() for _ in range(n))),
        "delta_bytes": pa.array(holes(sorted(sentence() for _ in range(n)))),
        "split32": pa.array(holes(random.gauss(0, 1) for _ in range(n)), pa.float32()),
        "split64": pa.array(holes(random.gauss(0, 1) for _ in range(n)), pa.float64()),
        "split_int": pa.array(holes(wide), pa.int64()),
        "plain": pa.array(holes(sentence() for _ in range(n))),
        "rle": pa.array(holes(random.random() < 0.5 for _ in range(n)), pa.bool_()),
        "uuid": pa.array(holes(uuid.UUID(int=random.getrandbits(128)).bytes for _ in range(n)), pa.binary(16)).cast(pa.uuid()),
        "lists": pa.array(holes(list(range(i % 4)) for i in range(n)), pa.list_(pa.int64())),
    })
    chosen = {
        "delta32": "DELTA_BINARY_PACKED", "delta64": "DELTA_BINARY_PACKED", "delta_steps": "DELTA_BINARY_PACKED",
        "delta_length": "DELTA_LENGTH_BYTE_ARRAY", "delta_bytes": "DELTA_BYTE_ARRAY", "split32": "BYTE_STREAM_SPLIT",
        "split64": "BYTE_STREAM_SPLIT", "split_int": "BYTE_STREAM_SPLIT", "plain": "PLAIN", "rle": "RLE",
        "uuid": "DELTA_BYTE_ARRAY", "lists.list.element": "DELTA_BINARY_PACKED",
    }
    for version in ("1.0", "2.0"):
        write(f"encodings.v{version[0]}", table, use_dictionary=False, column_encoding=chosen, data_page_version=version,
              data_page_size=256, write_batch_size=50, compression="zstd", write_statistics=False, store_schema=False)


# ------------------------------------------------------------------------------------------- types and nesting

def types():
    day = dt.datetime(2024, 2, 29, 13, 7, 9, 250_001)
    columns = {
        "bool": pa.array([True, False, None]),
        "i8": pa.array([-128, 127, None], pa.int8()),
        "i16": pa.array([-32768, 32767, None], pa.int16()),
        "i32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
        "i64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "u8": pa.array([0, 255, None], pa.uint8()),
        "u16": pa.array([0, 65535, None], pa.uint16()),
        "u32": pa.array([0, 2**32 - 1, None], pa.uint32()),
        "u64": pa.array([0, 2**64 - 1, None], pa.uint64()),
        "f16": pa.array([0.333251953125, -5.960464477539063e-08, None], pa.float16()),
        "f32": pa.array([0.1, -3.4028234663852886e38, None], pa.float32()),
        "f64": pa.array([1e16, 1e-5, None], pa.float64()),
        "f64b": pa.array([-0.0, 123456789012345.6, 0.0001], pa.float64()),
        "f64c": pa.array([9999999999999998.0, 5e-324, 1.0], pa.float64()),
        "nothing": pa.nulls(3),
        "string": pa.array(["", "\u0000\u001f\u007f\b\f\r\n\t\"\\/<>&\u2029", None]),
        "large": pa.array(["grüße", "日本", None], pa.large_string()),
        "category": pa.array(["a", "b", None]).dictionary_encode(),
        "date": pa.array([day.date(), dt.date(1, 1, 1), None]),
        "time_ms": pa.array([dt.time(23, 59, 59, 999_000), dt.time(0), None], pa.time32("ms")),
        "time_us": pa.array([dt.time(1, 2, 3, 4), dt.time(0), None], pa.time64("us")),
        "stamp_ms": pa.array([day.replace(microsecond=250_000), dt.datetime(1969, 12, 31, 23, 59, 59, 999_000), None], pa.timestamp("ms")),
        "stamp_us": pa.array([day, dt.datetime(1900, 1, 1), None], pa.timestamp("us")),
        "stamp_utc": pa.array([day, dt.datetime(1900, 1, 1), None], pa.timestamp("us", "UTC")),
        "decimal9": pa.array([decimal.Decimal("1234567.89"), decimal.Decimal("-0.05"), None], pa.decimal128(9, 2)),
        "decimal18": pa.array([decimal.Decimal("-999999999999999.999"), decimal.Decimal("0"), None], pa.decimal128(18, 3)),
        "decimal38": pa.array([decimal.Decimal("-" + "9" * 21 + ".5"), decimal.Decimal("12"), None], pa.decimal128(38, 1)),
        "uuid": pa.array([uuid.UUID(int=2**127 + 5).bytes, uuid.UUID(int=0).bytes, None], pa.binary(16)).cast(pa.uuid()),
    }
    write("types", pa.table(columns), store_decimal_as_integer=True, write_statistics=False)
    write("int96", pa.table({"t": columns["stamp_us"]}), use_deprecated_int96_timestamps=True)
    nano = pa.table({"t": pa.array([1709212029250000001, -1, None], pa.timestamp("ns"))})
    pq.write_table(nano, HERE / "nano.parquet")
    twin("nano", [{"t": "2024-02-29T13:07:09.250000001"}, {"t": "1969-12-31T23:59:59.999999999"}, {"t": None}])


def nesting():
    def tree(depth):
        if random.random() < 0.15:
            return None
        if depth == 0:
            return random.choice([1, 2, None])
        return [tree(depth - 1) for _ in range(random.randrange(4))]
    kind = pa.int64()
    for _ in range(4):
        kind = pa.list_(kind)
    inner = pa.struct([("k", pa.string()), ("v", pa.list_(pa.struct([("n", pa.int32()), ("m", pa.map_(pa.string(), pa.list_(pa.bool_())))])))])
    def node():
        if random.random() < 0.2:
            return None
        items = None
        if random.random() < 0.8:
            items = [None if random.random() < 0.2 else {"n": random.choice([1, None]), "m": random.choice([None, [], [("a", [True, None])], [("x", None), ("y", [])]])}
                     for _ in range(random.randrange(3))]
        return {"k": random.choice(["a", "b", None]), "v": items}
    n = 40
    table = pa.table({
        "tree": pa.array([tree(4) for _ in range(n)], kind),
        "node": pa.array([node() for _ in range(n)], inner),
        "nodes": pa.array([[node() for _ in range(random.randrange(3))] for _ in range(n)], pa.list_(inner)),
        "numbers": pa.array([[(i, "x")] * (i % 2) for i in range(n)], pa.map_(pa.int32(), pa.string())),
        "fixed": pa.array([[i, None] for i in range(n)], pa.list_(pa.int8(), 2)),
    })
    for version in ("1.0", "2.0"):
        write(f"nesting.v{version[0]}", table, data_page_version=version, row_group_size=17, compression="zstd", data_page_size=40,
              write_batch_size=10, write_statistics=False, store_schema=False)
    required = pa.schema([pa.field("a", pa.list_(pa.field("element", pa.struct([pa.field("b", pa.string(), nullable=False)]), nullable=False)), nullable=False)])
    write("required", pa.Table.from_pylist([{"a": [{"b": "x"}, {"b": "y"}]}, {"a": []}], schema=required), use_compliant_nested_type=False)


# ------------------------------------------------------------------------------- what is refused, or not read

def binary(path):
    return {"binary": path}


class Keys(pe.KmsClient):
    """Keys that are not secret at all."""

    def __init__(self, _):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key, _):
        return base64.b64encode(key)

    def unwrap_key(self, wrapped, _):
        return base64.b64decode(wrapped)


def refused():
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({
        "text": ["a", "b", "c"],
        "image": pa.array([{"bytes": b"\x89PNG", "path": "x.png"}, None, {"bytes": None, "path": None}], image),
        "raw": pa.array([b"\xff", None, b""], pa.binary()),
        "parts": pa.array([[{"bytes": b"1", "path": "p"}], [], None], pa.list_(image)),
    })
    pq.write_table(table, HERE / "binary.parquet", store_schema=False)
    twin("binary", [
        {"text": "a", "image": {"bytes": binary("image.bytes"), "path": "x.png"}, "raw": binary("raw"), "parts": [{"bytes": binary("parts[].bytes"), "path": "p"}]},
        {"text": "b", "image": None, "raw": binary("raw"), "parts": []},
        {"text": "c", "image": {"bytes": binary("image.bytes"), "path": None}, "raw": binary("raw"), "parts": None},
    ])
    pq.write_table(table.select(["raw"]), HERE / "bad-only-binary.parquet", store_schema=False)

    broken = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")])
    mistakes = pa.table({
        "text": broken,
        "score": pa.array([0.5, 1.0, float("nan")]),
        "list": pa.array([[1.0], [], [2.0, float("inf")]], pa.list_(pa.float32())),
    })
    pq.write_table(mistakes, HERE / "bad-rows.parquet", write_statistics=False)

    factory = pe.CryptoFactory(lambda c: Keys(c))
    connection = pe.KmsConnectionConfig()
    for name, plain_footer in (("bad-encrypted", False), ("bad-encrypted-columns", True)):
        config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["text"]}, plaintext_footer=plain_footer, double_wrapping=False)
        properties = factory.file_encryption_properties(connection, config)
        with pq.ParquetWriter(HERE / f"{name}.parquet", table.select(["text"]).schema, encryption_properties=properties) as w:
            w.write_table(table.select(["text"]))


if __name__ == "__main__":
    for old in [*HERE.glob("*.parquet"), *HERE.glob("*.jsonl")]:
        old.unlink()
    conversations()
    pages()
    encodings()
    types()
    nesting()
    refused()
