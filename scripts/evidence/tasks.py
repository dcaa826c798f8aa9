"""Writes the tasks of the evidence for the method, each a folder with train.jsonl and valid.jsonl.

    tasks.py GSM8K DEMO OUT

GSM8K is the folder of train.jsonl and test.jsonl, DEMO that of finetune demo's rows. The first three are for
stories260K, whose vocabulary is letters and short words, the others for SmolLM2:

  stories    the demo's stories with a robot in them, as plain text
  questions  GSM8K's questions, cut to 110 characters, as plain text
  pig        the first sentence of a question, up to 60 characters, to its pig latin
  gsm8k      question to worked answer, 360 characters at most together
  equations  question, 200 characters at most, to the equations of its answer and the result
"""
import json
import pathlib
import re
import shutil
import sys

gsm8k, demo, out = map(pathlib.Path, sys.argv[1:4])


def rows(name):
    return [json.loads(line) for line in open(gsm8k / name, encoding="utf-8")]


def question(row):
    return {"text": row["question"][:110].rsplit(" ", 1)[0]}


def pig(row):
    sentence = re.sub(r"[^a-z ]", "", re.split(r"[.?!]", row["question"])[0].lower()).strip()
    if not 10 <= len(sentence) <= 60:
        return None
    return {"prompt": sentence + "\n", "completion": " ".join(w[1:] + w[0] + "ay" for w in sentence.split())}


def answer(row):
    if len(row["question"]) + len(row["answer"]) > 360:
        return None
    return {"prompt": row["question"], "completion": row["answer"]}


def equations(row):
    steps = re.findall(r"<<(.*?)>>", row["answer"])
    if not steps or len(row["question"]) > 200:
        return None
    return {"prompt": row["question"], "completion": "\n".join([*steps, row["answer"].split("#### ")[1]])}


def write(name, make, train, valid):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, source, count in ("train.jsonl", "train.jsonl", train), ("valid.jsonl", "test.jsonl", valid):
        made = [made for row in rows(source) if (made := make(row))][:count]
        with open(folder / file, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in made)
        print(f"{name}/{file}: {len(made)} rows")


write("questions", question, 7000, 200)
write("pig", pig, 7000, 200)
write("gsm8k", answer, 7000, 200)
write("equations", equations, 7000, 200)
shutil.copytree(demo, out / "stories", dirs_exist_ok=True)
