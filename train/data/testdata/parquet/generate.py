"""Writes chats.parquet with Hugging Face datasets, which puts a null for every key that
another row has, and chats.jsonl, the same rows as they were before.

    pip install datasets==5.2.0
    python generate.py
"""

import json
import pathlib

import datasets

HERE = pathlib.Path(__file__).parent

tools = [
    {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}},
    {"type": "function", "function": {"name": "sum", "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}},
]
rows = [
    {"messages": [{"role": "user", "content": "Is it raining in Łódź?"}, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Łódź"}}}]}, {"role": "tool", "name": "weather", "content": "no"}, {"role": "assistant", "content": "No."}], "tools": tools[:1]},
    {"messages": [{"role": "user", "content": "1.5+2"}, {"role": "assistant", "content": "4", "weight": 0}, {"role": "user", "content": "Sure?"}, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "sum", "arguments": {"a": 1.5, "b": 2.0}}}], "weight": 1}], "tools": tools},
    {"system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi."}], "id": 3},
]

HERE.joinpath("chats.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
keys = ["system", "messages", "tools", "id"]
datasets.Dataset.from_list([{k: r.get(k) for k in keys} for r in rows]).to_parquet(HERE / "chats.parquet")
