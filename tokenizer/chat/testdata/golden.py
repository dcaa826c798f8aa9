"""Make chats.json: conversations rendered by transformers with the templates of templates/, and the spans of {% generation %} blocks.

usage: pip install transformers jinja2 && python golden.py      (in this folder; transformers 5.23.0)
"""
import datetime, glob, json, os
import transformers.utils.chat_template_utils as chat_utils


def dump(x):
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"))


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 9, 5, 3)


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": 'Weather <b> & "q" é', "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "a": {"type": "number", "minimum": 0.5, "maximum": 1.0}}, "required": ["city"]}}}]


def user(c):
    return {"role": "user", "content": c}


def assistant(c, **more):
    return {"role": "assistant", "content": c, **more}


def call(**arguments):
    return [{"type": "function", "function": {"name": "get_weather", "arguments": arguments}}]


def system(c):
    return {"role": "system", "content": c}


def tool(c):
    return {"role": "tool", "content": c}


CHATS = {
    "one": [user("Hi there"), assistant("Hello.")],
    "system": [system(" You are X.\n"), user("What's 2+2?\n\n"), assistant(" 4 \n")],
    "multi": [system("Be brief."), user("Hi"), assistant("Hello."), user("Bye <b> & 'q' é 你好 👍"), assistant("Goodbye!\nSee you.")],
    "open": [user("Hi"), assistant("Hello."), user("And?")],
    "firstassistant": [assistant("Welcome!"), user("Hi"), assistant("Yes?")],
    "tools": [user("Weather?"), assistant("", tool_calls=call(city="Paris", n=1, f=1.5, g=1e-7, ok=True, z=None, l=[], o={})),
              tool('{"t":20}'), assistant("20 degrees.")],
    "toolsnull": [user("Weather?"), assistant(None, tool_calls=call(city="Paris")), tool("20"), assistant("Warm.")],
    "think": [user("a"), assistant("<think>\nfoo\n</think>\n\nbar"), user("b"), assistant("<think>\nqq\n</think>\n\nzz")],
    "reasoning": [user("a"), assistant("bar", reasoning="because"), user("b"), assistant("zz", reasoning_content="so")],
    "empty": [user("a"), assistant(""), user("b"), assistant(" ")],
    "same": [user("yes"), assistant("yes"), user("yes"), assistant("yes")],
    "nothing": [user(None), assistant(None), user("x"), assistant(None, reasoning_content=None)],
    "none": [user("only a question")],
    "twoassistant": [user("a"), assistant("one"), assistant("two")],
    "numbers": [{"role": "user", "content": "n", "x": 1, "y": 1.0, "z": 1e22, "w": -0.0, "t": True, "q": "\u2028\u007f\u0001\t\"\\/",
                 "n": 123456789.125, "e": 0.00001, "b": {"k": [1, {"a": []}]}}, assistant("ok")],
}


def make_chats():
    chat_utils.datetime = Fixed
    rows = []
    for path in sorted(glob.glob("templates/*.jinja")):
        source, name = open(path).read(), os.path.basename(path)
        for chat, messages in CHATS.items():
            for prompt in (False, True):
                row, masks = {"template": name, "name": chat, "add_generation_prompt": prompt}, "endgeneration" in source and not prompt
                try:
                    present = [{k: v for k, v in m.items() if v is not None} for m in messages]  # as apply_chat_template does
                    texts, spans = chat_utils.render_jinja_template(
                        [present], tools=TOOLS if chat.startswith("tools") else None, chat_template=source, add_generation_prompt=prompt,
                        return_assistant_tokens_mask=masks, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
                    row["text"] = texts[0]
                    if masks:
                        row["spans"] = [[len(texts[0][:i].encode()), len(texts[0][:j].encode())] for i, j in spans[0]]
                except Exception as e:
                    row["error"] = str(e)
                rows.append(row)
    chats = {n: {"messages": m} | ({"tools": TOOLS} if n.startswith("tools") else {}) for n, m in CHATS.items()}
    with open("chats.json", "w") as f:
        f.write('{"conversations":{\n' + ",\n".join(dump(n) + ":" + dump(c) for n, c in chats.items()))
        f.write('\n},"cases":[\n' + ",\n".join(map(dump, rows)) + "\n]}\n")


make_chats()
