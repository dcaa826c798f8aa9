"""Make golden/*.json and random.json: what jinja2, set up by transformers, makes of small templates.

A row is [source, text], or [source, null, kind, line, message] of an error; the message only where it is to be the same.

usage: pip install transformers jinja2 && python golden.py [SEED [COUNT]]     (in this folder; transformers 5.23.0, jinja2 3.1.6, Python 3.11)

Without a seed all files are made; with one only random.json, of COUNT other templates.
"""
import copy, datetime, json, os, random, re, sys, traceback
import transformers.utils.chat_template_utils as chat_utils


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 9, 5, 3)


chat_utils.datetime = Fixed

VARIABLES = {
    "messages": [
        {"role": "system", "content": " You are X.\n"},
        {"role": "user", "content": "Hi <b> & 'q' \u00e9 \u4f60\u597d \U0001f44d", "n": 1},
        {"role": "assistant", "content": "Hello\nworld", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1.0, "b": [True, None]}}}]},
    ],
    "tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>",
    "people": [{"name": "bob", "age": 3, "tag": {"x": 2}}, {"name": "Ann", "age": 1, "tag": {"x": 1}}, {"name": "al", "age": 3}],
}


EXACT = {"UndefinedError", "TemplateError", "TemplateSyntaxError", "TemplateAssertionError", "TemplateRuntimeError", "SecurityError"}


def render(source):
    try:
        return [source, chat_utils._compile_jinja_template(source).render(**copy.deepcopy(VARIABLES))]  # "people|indent" changes its value
    except Exception as e:
        kind, message = type(e).__name__, getattr(e, "message", None) or str(e)
        lines = [f.lineno for f in traceback.extract_tb(e.__traceback__) if f.filename in ("<template>", "<unknown>")]
        line = getattr(e, "lineno", None) or (lines[-1] if lines else 1)
        if kind == "AttributeError":  # of a value that has not got a method: here its type is wrong
            kind = "TypeError"
        row = [source, None, kind, line]
        return row + [message] if kind in EXACT else row + ([] if "'Undefined'" not in message else ["undefined"])


VALUES = [
    "none", "true", "-7", "2.5", "123456789012345678901234567890", "''", "'aBc de-F'", "' x\\ny '", "'\u00c9\u00dft 12'", "'42'", "'-1.5e3'",
    "[]", "[3, 1, 2]", "['b', 'A', 'a']", "[1, 'a']", "((1, 'x'), (0, 'y'))", "{'b': 1, 'A': 2}", "{1: none, none: 1.5}", "nothing", "range(4)", "people",
]
SMALL = ["none", "true", "2", "-7", "2.5", "'b'", "'aBc'", "[3, 1]", "[1, 'a']", "(1,)", "{'b': 1}", "nothing", "range(2)"]

# filters: the arguments that each is tried with; those that give a generator are listed.
FILTERS = {
    "abs": [""], "attr": ["('b')", "(1)", "('__class__')", "('items')"], "batch": ["(2)", "(2, 'z')", "(3, fill_with=none)", "()"],
    "capitalize": ["", "(1)"], "center": ["(9)", "(8)", "('x')", "(width=-1)"], "count": [""], "d": ["(1)"], "default": ["('d')", "('d', true)", "()", "(boolean=true)"],
    "dictsort": ["", "(true)", "(by='value')", "(false, 'key', true)", "(by='x')"], "e": [""], "escape": [""], "filesizeformat": ["", "(true)"], "first": [""],
    "float": ["", "('z')", "(default=1)"], "forceescape": [""], "format": ["", "(1)", "(1, 2)", "(a=1)", "(1, a=1)"], "groupby": ["('age')", "('name', case_sensitive=true)", "('tag.x', default=9)", "('q')", "(0)", "()"],
    "indent": ["", "(2)", "(2, true)", "(1, true, true)", "('> ')", "(first=true)", "('x', 1, 2, 3)", "([])"], "int": ["", "(7)", "(0, 16)", "(default='q')", "(base=0)"], "items": [""],
    "join": ["", "(', ')", "(1)", "('-', attribute='name')", "(attribute=0)"], "last": [""], "length": ["", "(1)", "(x=1)"], "list": [""], "lower": [""],
    "map": ["('upper')", "(attribute='name')", "(attribute='tag.x', default='none')", "('nope')", "()", "(attribute='x', y=1)", "('int', 5)", "('default', 'q')", "(attribute=0)"],
    "max": ["", "(attribute='age')", "(true)"], "min": ["", "(attribute='age')", "(case_sensitive=true)"], "reject": ["", "('odd')", "('none')", "('nope')"],
    "rejectattr": ["('age')", "('age', 'odd')", "()"], "replace": ["('a', 'X')", "('', '-')", "(1, 2)", "('b', '', 1)", "('x')", "('a', 'b', count='z')", "(none, nothing)"], "reverse": [""],
    "round": ["", "(1)", "(-1)", "(1, 'ceil')", "(0, 'floor')", "(method='x')", "('a')", "(400)"], "safe": [""], "select": ["", "('odd')", "('in', [1, 2, 'a'])", "('gt', 1)", "('nope')"],
    "selectattr": ["('age')", "('age', 'odd')", "('name', 'equalto', 'Ann')", "()", "('tag.x', 'defined')"], "slice": ["(2)", "(3, 'z')", "(0)", "()", "('x')"],
    "sort": ["", "(true)", "(case_sensitive=true)", "(attribute='age')", "(attribute='age,name')", "(reverse=true, attribute='age')"], "string": [""], "striptags": [""],
    "sum": ["", "(start=10)", "(attribute='age')", "(start='x')", "(start=[])"], "title": [""],
    "tojson": ["", "(indent=2)", "(true)", "(sort_keys=true)", "(separators=(',', ':'))", "(indent='>')", "(indent=0)", "(separators=1)", "(x=1)"],
    "trim": ["", "(' x')", "(none)", "(1)"], "truncate": ["(5)", "(5, true)", "(3, false, '', 0)", "(2)", "(6, end='~', leeway=0)", "('x')"], "unique": ["", "(true)", "(attribute='age')"],
    "upper": [""], "urlencode": [""], "wordcount": [""], "wordwrap": ["(4)", "(4, false)", "(3, wrapstring='|')", "(0)"], "xmlattr": ["", "(false)"],
}
GENERATORS = {"batch", "items", "map", "reject", "rejectattr", "select", "selectattr", "slice", "unique"}
EXTRA = {
    "pprint": ["{{ {'a': [1, 'x']}|pprint }}", "{{ 'a'|pprint }}", "{{ none|pprint }}"],
    "indent": ["{{ 'a\\n\\nb\\r\\nc'|indent(3) }}", "{{ 'a\\n\\nb'|indent(3, blank=true) }}", "{{ 'a\\n'|indent }}|", "{{ 'a\u2028b\x0bc'|indent }}"],
    "tojson": ["{{ messages|tojson }}", "{{ messages|tojson(indent=4) }}", "{{ messages|tojson(true) }}", "{{ '\\x01\\x7f\\u2028\\\"\\\\/'|tojson }}", "{{ {1: 2, true: 3, none: 4, 1.5: 5}|tojson }}", "{{ {(1, 2): 3}|tojson }}",
               "{{ [1e400, -1e400, 1e16, 1e-7, 0.1, 100.0]|tojson }}", "{{ [[], {}, [[]]]|tojson(indent=1) }}", "{{ messages[2].keys()|tojson }}", "{{ (1, (2,))|tojson }}", "{{ {'b': 1, 1: 2}|tojson(sort_keys=true) }}"],
    "striptags": ["{{ '<p>a  <b>b</b>\\n c</p> &lt;x&gt; <!-- q -->z'|striptags }}"], "urlencode": ["{{ 'a/b c?d=\u00e9&+~_.-'|urlencode }}", "{{ {'a b': 'c/d', 'e': 1}|urlencode }}", "{{ [('a', 'b c')]|urlencode }}"],
    "wordcount": ["{{ \"it's a_b \u00e9t\u00e9 1.5 -\"|wordcount }}"], "wordwrap": ["{{ 'the quick brown-fox jumped over\\n\\nthe extraordinarily lazy dog'|wordwrap(10) }}", "{{ 'aaaa bb cc-dd'|wordwrap(5, break_on_hyphens=false) }}"],
    "truncate": ["{{ 'foo bar baz qux'|truncate(9) }}", "{{ 'foo bar baz qux'|truncate(9, true) }}", "{{ 'foo bar baz qux'|truncate(11) }}", "{{ 'foo bar baz qux'|truncate(11, false, '...', 0) }}"],
    "groupby": ["{% for g in people|groupby('age') %}{{ g.grouper }}:{{ g.list|length }}{{ g[0] }}{{ g }};{% endfor %}", "{% for k, v in people|groupby('name') %}{{ k }}{{ v|map(attribute='age')|list }}{% endfor %}"],
    "map": ["{{ people|map(attribute='name')|map('upper')|join(',') }}", "{% set m = [1, 2]|map('string') %}{{ m|list }}{{ m|list }}", "{{ [1]|map('length')|length }}"],
    "first": ["{{ 'abc'|first }}{{ [1]|map('string')|first }}{{ []|first }}{{ {'k': 1}|first }}", "{{ ([]|first).x }}"], "last": ["{{ ([]|last) + 1 }}", "{{ [1]|map('string')|last }}"],
    "format": ["{{ '%s-%05.1f-%x'|format('a', 2.345, 255) }}", "{{ '%(a)s'|format(a='b') }}"], "safe": ["{{ '<'|safe ~ '>' }}", "{{ ('<'|e) ~ '>' }}"],
    "filesizeformat": ["{{ 1|filesizeformat }} {{ 999|filesizeformat }} {{ 1000|filesizeformat }} {{ 1500000|filesizeformat }} {{ 2e25|filesizeformat }} {{ 1025|filesizeformat(true) }}"],
    "round": ["{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42.55|round(1, 'floor') }} {{ 1234|round(-2) }} {{ 1250|round(-2) }} {{ 1350|round(-2) }} {{ 1e300|round(2) }} {{ 2.5|round|int }}"],
    "int": ["{{ ' 42 '|int }} {{ '4_2'|int }} {{ '0x1A'|int(0, 16) }} {{ '0b11'|int(base=2) }} {{ '0o17'|int(0, 0) }} {{ '12.9'|int }} {{ 'inf'|int(3) }} {{ true|int }}"],
    "float": ["{{ ' 1_0.5 '|float }} {{ 'inf'|float }} {{ 'nan'|float }} {{ '1e3'|float }} {{ '0x10'|float }} {{ '.5'|float }}"], "center": ["[{{ 'ab'|center(5) }}][{{ 'abc'|center(6) }}]"],
    "sort": ["{{ people|sort(attribute='age')|map(attribute='name')|list }}", "{{ people|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}", "{{ 'bca'|sort }}", "{{ {'b': 1, 'a': 2}|sort }}"],
    "random": ["{{ []|random is defined }}"],
}
TESTS = {
    "boolean": [""], "callable": [""], "defined": [""], "divisibleby": ["(2)", " 3", "()", "(0)", "('x')"], "escaped": [""], "even": [""], "false": [""], "filter": [""], "float": [""],
    "in": ["([3, 2.5])", "('aBc de-F')", "(none)", "({'b': 1})", "()"], "integer": [""], "iterable": [""], "lower": [""], "mapping": [""], "none": [""], "number": [""], "odd": [""],
    "sameas": [" none", "(true)", "()"], "sequence": [""], "string": [""], "test": [""], "true": [""], "undefined": [""], "upper": [""],
    "eq": [" 3", "('')", "()"], "equalto": [" 3"], "ne": [" 3"], "gt": [" 1", "(1, 2)"], "greaterthan": [" 1"], "ge": [" 3"], "lt": [" 3"], "lessthan": [" 3"], "le": ["('b')"],
}
EXTRA_TESTS = {"filter": ["{{ 'upper' is filter }}{{ 'nope' is filter }}"], "test": ["{{ 'odd' is test }}{{ 'nope' is test }}"], "callable": ["{{ range is callable }}{{ ''.upper is callable }}{{ joiner() is callable }}{{ cycler(1) is callable }}"],
               "sameas": ["{% set a = [1] %}{{ a is sameas a }}{{ a is sameas [1] }}{{ 1 is sameas true }}{{ 'a' is sameas 'a' }}"], "sequence": ["{{ {}.keys() is sequence }}{{ {}.items() is iterable }}{{ [1]|map('int') is iterable }}{{ [1]|map('int') is sequence }}"],
               "upper": ["{{ 'A1' is upper }}{{ 'Aa' is upper }}{{ '1' is upper }}{{ '\u00c9' is upper }}"]}
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow", "~": "concat", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "in": "in", "not in": "notin", "and": "and", "or": "or"}
NUMBERS = ["0", "-3", "7", "2.5", "-0.5", "10", "true", "9223372036854775807", "123456789012345678901234567890", "1e308"]

METHODS = {
    "str": {
        "capitalize": ["()", "(1)"], "casefold": ["()"], "center": ["(9)", "(8, '*')", "()", "('x')", "(9, 'ab')"], "count": ["('')", "('l')", "('l', 3)", "('l', -3, -1)", "(1)", "()"], "endswith": ["('d')", "(('x', 'd'))", "('l', 0, 4)", "(1)", "([])", "((1,))"],
        "find": ["('l')", "('l', 5)", "('zz')", "('', 99)", "('l', -2)", "(none)"], "format": ["()", "(1)", "(a=1)"], "index": ["('l')", "('zz')"],
        "isalnum": ["()"], "isalpha": ["()"], "isascii": ["()"], "isdecimal": ["()"], "isdigit": ["()"], "islower": ["()"], "isnumeric": ["()"], "isprintable": ["()"], "isspace": ["()"], "istitle": ["()"], "isupper": ["()"],
        "join": ["(['a', 'b'])", "('xyz')", "([1])", "(1)", "({'k': 1})", "()"], "ljust": ["(20)", "(20, '.')"], "lower": ["()"], "lstrip": ["()", "('H ')", "(none)", "(1)"], "partition": ["(' ')", "('zz')", "('')", "(1)"],
        "removeprefix": ["('He')", "('zz')", "(1)"], "removesuffix": ["('d')", "('')"], "replace": ["('l', 'L')", "('l', 'L', 1)", "('', '-')", "('l')", "('l', 1)", "('l', 'L', 'x')", "('', '.', 2)"], "rfind": ["('l')", "('zz')"], "rindex": ["('l')", "('zz')"], "rjust": ["(20)"],
        "rpartition": ["(' ')", "('zz')"], "rsplit": ["()", "(' ', 1)", "(none, 1)", "('l', 2)", "(maxsplit=1)"], "rstrip": ["()", "('d\\n ')"], "split": ["()", "(' ')", "(' ', 1)", "('l')", "('')", "(none, 1)", "(sep='l', maxsplit=1)", "(1)", "('a', 1, 2)", "(x=1)"],
        "splitlines": ["()", "(true)", "(keepends=true)"], "startswith": ["('He')", "(('x', 'He'))", "('l', 2)", "(1)", "()"], "strip": ["()", "('Hd')", "(1, 2)"], "swapcase": ["()"], "title": ["()"], "upper": ["()", "(1)", "(x=1)"], "zfill": ["(15)", "(2)", "('x')"],
    },
    "dict": {"copy": ["()"], "get": ["('b')", "('zz')", "('zz', 1)", "([])", "()", "('a', 1, 2)", "(1)"], "items": ["()", "(1)"], "keys": ["()"], "values": ["()"],
             "pop": ["('b')"], "update": ["({})"], "setdefault": ["('b')"], "clear": ["()"], "popitem": ["()"]},
    "list": {"count": ["(1)", "('a')"], "index": ["(1)", "(9)", "(1, 1)"], "copy": ["()"], "append": ["(1)"], "pop": ["()"], "sort": ["()"], "reverse": ["()"], "insert": ["(0, 1)"], "extend": ["([])"], "remove": ["(1)"], "clear": ["()"]},
    "tuple": {"count": ["(1)"], "index": ["(1)", "(9)"]}, "range": {"count": ["(1)"], "index": ["(1)", "(9)"]},
    "float": {"is_integer": ["()"]},
}
METHOD_VALUES = {
    "str": ["'Hello world'", "''", "' \\t a  b\\n'", "'\u00c9t\u00e9 \u00df \u01c6'", "'l\\tl\\nl'", "'\u00b2\u0663'", "'{} {a}'", "'-42'"], "dict": ["{'b': 1, 'a': [2]}", "{}", "{1: 2, 'items': 3}"], "list": ["[1, 'a', 1.0]", "[]"],
    "tuple": ["(1, 2, 1)"], "range": ["range(1, 9, 2)"], "float": ["2.5", "-3.0"],
}

STATEMENTS = {
    "for": ["{% for a in [1, 2, 3] %}{{ a }}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
            "{% for a in [1, 2, 3] %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}", "{% for a in [1, 2] %}{{ loop.previtem.x }}{% endfor %}", "{% for a in [1] %}{{ loop.nextitem + 1 }}{% endfor %}",
            "{% for a in [1, 1, 2, 2, 1] %}{{ loop.changed(a) }}{{ loop.changed(a, 1) }}{{ loop.cycle('x', 'y', 'z') }};{% endfor %}", "{% for a in [] %}x{% else %}none{% endfor %}", "{% for a in [1, 2, 3, 4] if a is even %}{{ a }}{{ loop.length }}{% else %}none{% endfor %}",
            "{% for a in [1, 3] if a is even %}{{ a }}{% else %}none{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in {'x': 1}.items() if b %}{{ a }}{{ b }}{% endfor %}",
            "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [(1,)] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a in 1 %}{% endfor %}", "{% for a in none %}{% endfor %}", "{% for a in nothing %}x{% else %}else{% endfor %}", "{% for c in 'a\u00e9\U0001f44d' %}[{{ c }}]{% endfor %}", "{% for k in {'a': 1} %}{{ k }}{% endfor %}",
            "{% set x = 1 %}{% for a in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}", "{% for a in [1, 2] %}{% for b in [3, 4] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for a in [[1, [2]], 3] recursive %}{% if a is iterable %}({{ loop(a) }}){% else %}{{ a }}@{{ loop.depth }}{% endif %}{% endfor %}",
            "{% for a in [1] %}{{ loop([2]) }}{% endfor %}", "{% for a in [1, 2, 3] %}{% if a == 2 %}{% continue %}{% endif %}{{ a }}{% endfor %}", "{% for a in [1, 2, 3] %}{% if a == 2 %}{% break %}{% endif %}{{ a }}{% else %}e{% endfor %}", "{% for a in [1, 2] %}{{ loop }}{% endfor %}", "{% for a in 1, 2 %}{{ a }}{% endfor %}",
            "{% for a in [1, 2] if loop.index %}{% endfor %}", "{% for loop in [1] %}{% endfor %}", "{% for a in range(3) %}{{ a }}{% endfor %}{{ a }}", "{% for 1 in [1] %}{% endfor %}", "{% for a of [1] %}{% endfor %}", "{% for a in [1] %}", "{% for a in %}{% endfor %}", "{{ loop }}|{{ loop is defined }}",
            "{% for a in [1, 2] -%} {{ a }} {%- endfor %}", "{% for a in [1,2]: %}{{ a }}{% endfor %}", "{% for a in messages %}{{ a.role }}{{ loop.last }}{% endfor %}", "{% for a in ['x'] %}{{ loop.nope }}|{{ loop['index'] }}{% endfor %}", "{% for x in [3] %}{{ loop.length }}{% set loop = 7 %}{% endfor %}", "{% for a in [0] %}{{ loop.cycle() }}{% endfor %}",
            "{% for a in [1, 2] %}{% break %}{% else %}e{% endfor %}", "{% for a in [1, 2] %}{{ a }}{% continue %}{% else %}e{% endfor %}", "{% for a in [1, 2] %}{% if a == 2 %}{% continue %}{% endif %}{% else %}e{% endfor %}"],
    "if": ["{% if 1 %}a{% elif 2 %}b{% else %}c{% endif %}", "{% if 0 %}a{% elif '' %}b{% elif [0] %}d{% else %}c{% endif %}", "{% if nothing %}a{% else %}b{% endif %}", "{% if 0 %}{% set q = 1 %}{% else %}{% set q = 2 %}{% endif %}{{ q }}", "{% if 1, %}t{% endif %}", "{% if %}{% endif %}", "{% if 1 %}", "{% else %}", "{% if 1 %}{% else %}{% elif 1 %}{% endif %}", "{% if 1 %}{% endfor %}", "{% endif %}", "{% if false %}{{ 1|nofilter }}{% endif %}ok", "{% if true %}{{ 1|nofilter }}{% endif %}ok", "{% if x is nofilter %}{% endif %}{{ 1 }}", "{{ 1|nofilter }}", "{{ 1 is nofilter }}", "{% if false %}{{ 1 is notest }}{% endif %}"],
    "set": ["{% set a = 1 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1] %}", "{% set (a, b) = (1, 2) %}{{ b }}{{ a }}", "{% set a %}x{{ 1 }}{% endset %}[{{ a }}]", "{% set a | upper | trim %} x {% endset %}[{{ a }}]", "{% set a | replace('x', 'y') %}xx{% endset %}{{ a }}", "{% set a = 1, 2 %}{{ a }}", "{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}", "{% set a.b = 1 %}", "{% set d = {} %}{% set d.x = 1 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}",
            "{% set 1 = 2 %}", "{% set a %}", "{% set a = %}", "{% set none = 1 %}", "{% set a = 1 %}{% set a = a + 1 %}{{ a }}", "{% set x %}{% for i in [1, 2] %}{{ i }}{% endfor %}{% endset %}{{ x|length }}", "{% set [a] = [1] %}", "{% set a = b %}{{ a is defined }}", "{% set ns = namespace(a=1) %}{% set ns.a, y = 5, 6 %}{{ ns.a }}{{ y }}", "{% set messages = [] %}{{ messages }}", "{% set x = 1 %}{% set y %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ y }}"],
    "macro": ["{% macro m(a, b=2, c='x,y') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, c=3) }}|{{ m(b=1, a=0) }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{{ caller() }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
              "{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m() %}x{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a", "{% macro m(a b) %}{% endmacro %}", "{% macro 1() %}{% endmacro %}", "{% macro m() %}{{ loop is defined }}{% endmacro %}{% for a in [1] %}{{ m() }}{% endfor %}", "{% for a in [1, 2] %}{% macro m() %}{{ a }}{% endmacro %}{{ m() }}{% endfor %}",
              "{% macro m(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ m(1) }}{{ y is defined }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}{{ m(a=3) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(caller) %}{% endmacro %}{{ m() }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m() %}\n  x\n{% endmacro %}[{{ m() }}]{{ m() is string }}", "{% macro m(a=none) %}{{ a }}{% endmacro %}{{ m() }}{{ m(none) }}"],
    "call": ["{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3) m() %}{{ a }}{{ b }}{% endcall %}", "{% macro m(x) %}{{ x }}{{ caller(x) }}{% endmacro %}{% call(y) m('q') %}[{{ y }}]{% endcall %}", "{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}", "{% call 1 %}{% endcall %}", "{% call m %}{% endcall %}", "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}{% set z = 1 %}{% call m() %}{{ z }}{% set z = 2 %}{% endcall %}{{ z }}", "{% macro m() %}{{ caller(1) }}{% endmacro %}{% call m() %}{% endcall %}", "{% macro m() %}{{ caller }}{% endmacro %}{% call m() %}{% endcall %}"],
    "filter": ["{% filter upper %}abc{{ 'd' }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aa{% endfilter %}", "{% filter nope %}{% endfilter %}", "{% filter %}{% endfilter %}", "{% filter indent(2, true) %}a\nb{% endfilter %}", "{% set x = 1 %}{% filter upper %}{% set x = 'q' %}{{ x }}{% endfilter %}{{ x }}"],
    "with": ["{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}|{% endwith %}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% with 1 %}{% endwith %}", "{% set a = 5 %}{% with b = a %}{% set a = 6 %}{{ a }}{{ b }}{% endwith %}{{ a }}"],
    "raw": ["{% raw %}{{ x }}{% if %}{% endraw %}", "a {%- raw %} b {% endraw -%} c", "{% raw -%}  x  {%- endraw %}", "{% raw %}\n a\n{% endraw %}\nb", "  {% raw %}x\n  {% endraw %}  y", "{% raw %}", "{%raw%}{%endraw%}x", "{% raw %}{# c #}{%- endraw +%}\nz"],
    "comment": ["a{# b #}c", "a\n  {# b #}\nc", "a {#- b -#} c", "{# {% if %} {{ #}x", "{# x", "a {#+ b +#}\n c"],
    "lines": ["a\n{{ nothing.x }}", "{# \n #}\n{% if true %}\n{{ 1 + nothing }}\n{% endif %}", "{% for a in [1] %}\n\n{% set b = a.x.y %}{% endfor %}", "{% macro m() %}\n{{ raise_exception('no') }}{% endmacro %}\n\n{{ m() }}", "{% raw %}\n\n{% endraw %}\n{{ [1]|join(1)|nofilter }}", "\n{{ 'x\ny' }}\n{{ (1 }}", "\n{% if 1 %}\n{% endfor %}", "a\r\nb\r{{ nothing() }}", "{%- set x = 1 -%}\n\n{%- if x -%}\n\n{{ x.y.z }}{% endif %}", "\n{% for a in 5 %}{% endfor %}", "\n{{ 'a'|int + 'b' }}"],
    "print": ["{% print 1 %}", "{% print 1, 'a' %}", "{% print %}"],
    "autoescape": ["{% autoescape false %}<{{ '<' }}{% endautoescape %}"],
    "block": ["{% block x %}a{% endblock %}", "{% block x %}a{% endblock x %}b", "{% block a-b %}{% endblock %}"],
    "generation": ["a{% generation %}b{{ 1 }}{% endgeneration %}c", "{% for m in messages %}{% generation %}{{ m.role }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "{% generation %}", "x\n  {%- generation -%}\n y \n{%- endgeneration -%}\n z"],
    "loopcontrols": ["{% for a in 'abcd' %}{% for b in 'xy' %}{% if b == 'y' %}{% break %}{% endif %}{{ a }}{{ b }}{% endfor %}{% if a == 'c' %}{% continue %}{% endif %}{{ loop.index }}{% endfor %}"],
    "unknown": ["{% frob %}", "{% 1 %}", "{% %}", "{% if a %}{% frob %}{% endif %}", "{% endfor %}", "{% for x in y %}{% endif %}", "{% do x %}"],
    "whitespace": ["a {% if true %}\n b\n  {% endif %}\nc\n", "a {{ 'x' }}{%- if true %} b {% endif -%} \n c", "a\n  {%+ if true +%}\nb{% endif %}", "  {%- if true -%}  x  {%- endif -%}  ", "x\r\ny\r\n", "x\ry", "\n\n{% if true %}\n\nx{% endif %}\n\n", "a\t{% if true %}b{% endif %}\t\nc", "{% if true %}  \n{% endif %}", "{{ 1 }}\n{{ 2 }}\n", "{{- 1 -}}\n {{ 2 }}", "a\n {% set x = 1 %} {{ x }}", "  {{ 1 }}  {% if 1 %}\n  {% endif %}  b", "a\u00a0\n\u2003{% if 1 %}{% endif %}x", "{% if 1 %}\r\nx{% endif %}", "{{ 'a\r\nb' }}", "a\n\n", "{%- set x = 1 -%}\n\n  y", "{{ 1 +}}", "{{+ 1 }}"],
    "expressions": ["{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 == 1 == 1 }}{{ 3 > 2 != 1 in [1] }}", "{{ 'a' if 1 }}{{ 'a' if 0 }}|{{ 'a' if 0 else 'b' if 0 else 'c' }}", "{{ ('a' if 0).x }}", "{{ 'a' if 1 if 1 }}{{ 'a' if 0 if 1 else 'c' }}|{{ 'a' if 1 if 0 else 'c' }}{{ 'a' if 0 else 'b' if 1 if 1 else 'd' }}", "\n{{ ('a' if 1\nif 0).x }}", "{{ not 1 == 2 }}{{ not not 1 }}", "{{ -2 ** 2 }}{{ 2 ** 3 ** 2 }}{{ 2 ** -1 }}", "{{ -1|abs }}{{ -(1)|abs }}{{ 1 + 2|string }}", "{{ 1 + 2 * 3 - 4 // 3 % 2 }}", "{{ 'a' ~ 1 ~ none ~ nothing ~ 1.0 }}", "{{ 1 + 1 ~ 2 }}", "{{ [1, 2, 3][0] }}{{ [1][9] }}{{ [1, 2][-1] }}{{ 'abc'[1] }}{{ 'abc'[9] }}{{ {'a': 1}['a'] }}{{ {'a': 1}['b'] }}", "{{ 'abcdef'[1:3] }}{{ 'abcdef'[::-1] }}{{ 'abcdef'[-2:] }}{{ 'abcdef'[::2] }}{{ 'abc'[5:1] }}{{ [1, 2, 3][:2] }}{{ (1, 2, 3)[1:] }}{{ range(9)[2:5] }}", "{{ 'abc'[::0] }}", "{{ 'abc'['x'] }}|{{ 5[0] }}{% set a = 'abc' %}{{ a[1:'x'] }}", "{{ {'a': {'b': [1, {'c': 2}]}}.a.b[1].c }}", "{{ [[1, 2], [3]].0.1 }}", "{{ messages[0]['role'] }}{{ messages.0.role }}{{ messages|length }}",
                    "{{ nothing.x }}", "{{ nothing['x'] }}", "{{ nothing() }}", "{{ messages[0].nope.x }}", "{{ messages[9].x }}", "{{ none.x.y }}", "{{ 1.x.y }}", "{{ messages.nope() }}", "{{ 'x'() }}", "{{ none() }}", "{{ 1() }}", "{{ messages[0].content.nope() }}", "{{ [].append }}", "{{ [].append(1) }}", "{{ ''.__class__ }}", "{{ ''.__class__.x }}", "{{ {}.__class__ }}|{{ {'__x__': 1}.__x__ }}", "{{ {}.update({}) }}", "{{ {'items': 1}.items }}", "{{ {'items': 1}['items'] }}", "{{ {'a': 1, 'a': 2} }}{{ {1: 'a', true: 'b', 1.0: 'c'} }}", "{{ {[]: 1} }}", "{{ {{}: 1} }}", "{{ {(1, 2): 3}[(1, 2)] }}{{ {(1, 2): 3}[1, 2] }}",
                    "{{ () }}{{ (1,) }}{{ (1, 2) }}{{ [(), []] }}", "{{ 1, 2 }}", "{{ [1, 2,] }}{{ {'a': 1,} }}", "{{ true }}{{ True }}{{ false }}{{ none }}{{ None }}", "{{ 'a' 'b' }}", "{{ 'it\\'s' }}{{ \"a\\\"b\" }}{{ 'a\\nb\\t\\x41\\u00e9\\U0001f44d\\101\\q' }}", "{{ 1_000 }}{{ 0x1F }}{{ 0b101 }}{{ 0o17 }}{{ 1e3 }}{{ 1.5E-3 }}{{ 00 }}", "{{ 1__0 }}", "{{ 012 }}", "{{ 1. }}", "{{ .5 }}", "{{ 1.e5 }}", "{{ 1e400 }}{{ -1e400 }}", "{{ a ? b }}", "{{ a $ b }}", "{{ 'abc }}", "{{ a b }}", "{{ a + }}", "{{ (1 }}", "{{ 1) }}", "{{ [1, 2 }}", "{{ [1} }}", "{{ {'a' 1} }}", "{{ f(a=1, 2) }}", "{{ f(*a, *b) }}", "{{ f(**a, b) }}", "{{ a.'b' }}", "{{ a. }}", "{{ a[] }}", "{{ a[1 }}", "{{ a is }}", "{{ a is 1 }}", "{{ a is b is c }}", "{{ a is not none }}{{ not a is none }}", "{{ a| }}", "{{ a|1 }}", "{{ }}", "{{ a if }}", "{{ if }}", "{{ in }}", "{{ a not b }}", "{{ 3 is divisibleby 3 and 4 is even }}", "{{ 3 is in [3] }}{{ 1 is not in [3] }}", "{{ 3 is divisibleby(2) or 1 }}", "{{ (1, 2)|join }}{{ [1]|first|string }}", "{{ 'x'.upper().lower() }}{{ 'x'|upper|lower }}", "{{ range(3)|list }}{{ range(1, 9, 3)|list }}{{ range(5, 0, -2)|list }}{{ range(3) }}{{ range(0, 3, 2) }}", "{{ dict(a=1, **{'b': 2}) }}{{ dict([('x', 1)], y=2) }}{{ dict({'a': 1}) }}", "{{ dict(1) }}", "{{ dict([1]) }}", "{{ dict([(1, 2, 3)]) }}",
                    "{{ [nothing] }}{{ (none, true) }}{{ {'a': nothing} }}", "{{ \"it's\" }}{{ [\"it's\", 'a\"b', 'c\\'\"', '\\n\\x00\\u00e9\\u200b\\U0001f44d\\x7f'] }}", "{{ 1.0 }} {{ 1e16 }} {{ 1e15 }} {{ 123456789.123 }} {{ 1e-4 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 1e100 }} {{ -0.0 }} {{ 5e-324 }}", "{{ 2 ** 100 }} {{ 10 ** 30 // 7 }} {{ -(2 ** 70) % 1000 }} {{ 2 ** 64 - 1 }} {{ 9223372036854775807 + 1 }} {{ -9223372036854775807 - 2 }} {{ 4611686018427387904 * 2 }}", "{{ 10 ** 5000 }}", "{{ 2 ** 0.5 }} {{ 4 ** 0.5 }} {{ 0 ** 0 }} {{ (-1) ** 3 }}", "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 6 / 2 }}", "{{ true + true }}{{ true * 3 }}{{ -true }}{{ 1 == true }}{{ 0 == false }}{{ 'a' == 'a' }}{{ [1] == [1.0] }}{{ (1,) == [1] }}{{ {'a': 1} == {'a': 1.0} }}{{ none == false }}{{ nothing == nothing2 }}",
                    "{{ 'a' * 3 }}{{ 3 * 'a' }}{{ [1] * 2 }}{{ 'a' * -1 }}{{ 'a' * true }}", "{{ 'a' + 'b' }}{{ [1] + [2] }}{{ (1,) + (2,) }}", "{{ +1 }}{{ +true }}{{ +'a' }}", "{{ -'a' }}", "{{ 1 if nothing else 2 }}", "{{ messages is defined and messages[0].role == 'system' and 'x' or 'y' }}", "{{ 0 or '' or none or 'z' }}{{ 1 and 2 and 0 }}", "{{ x.y if x is defined else 'no' }}", "{{ strftime_now('%Y-%m-%d %H:%M:%S %j %u %w %y %I %p %B %b %A %a %-d %-m %e %% %F %T %D %R %h %c %x %X') }}", "{{ strftime_now() }}", "{{ strftime_now(1) }}", "{{ raise_exception('no') }}", "{{ raise_exception() }}", "{{ raise_exception(message='q') }}", "{{ bos_token }}{{ eos_token }}{{ tools }}{{ documents }}{{ documents is defined }}{{ pad_token is defined }}", "{{ 'a' 'b' | upper }}", "{{ 'abc'.upper }}" if False else "{{ 1 }}", "{{ messages|map(attribute='role')|join(',') }}", "{{ (messages|last).tool_calls[0].function.arguments }}", "{{ messages[1:]|map(attribute='role')|list }}", "{{ ({'a': 1}.items()|list)[0] }}{{ {'a': 1}.items() }}{{ {'a': 1}.keys() }}{{ {'a': 1}.values() }}", "{{ {'a': 1}.keys()[0] }}", "{{ 'a' in {'a': 1}.keys() }}{{ ('a', 1) in {'a': 1}.items() }}", "{{ [1, 2] | sum ** 2 }}", "{{ 5 is odd }}{{ 5 is even }}", "{{ 2.5.is_integer() }}", "{{ [] is sameas [] }}", "{{ ['a', 'b'] | map('upper') | list }}", "{{ f'x' }}"],
    "globals": ["{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}", "{{ cycler() }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}", "{% set j = joiner(',') %}{{ j() }}a{{ j() }}", "{% set n = namespace(a=1, b=[2]) %}{{ n.a }}{{ n.b }}{{ n.c }}|{{ n }}", "{% set n = namespace({'x': 1}, y=2) %}{{ n.x }}{{ n.y }}", "{{ namespace(_a=1) }}", "{% set n = namespace() %}{{ n.x.y }}", "{{ namespace(1) }}", "{% set n = namespace(items=3) %}{{ n.items }}{{ n['items'] }}{{ n['q'] }}", "{{ range(100001) }}", "{{ range(0, 10, 0) }}", "{{ range('a') }}", "{{ range() }}", "{{ range(1.5) }}", "{{ range(1, 2, 3, 4) }}", "{{ range(9)|length }}{{ 3 in range(9) }}{{ range(9)[-1] }}{{ range(3) == range(3) }}", "{{ lipsum is defined }}", "{{ range(100000)|length }}", "{% set n = namespace(a=[]) %}{% for i in range(3) %}{% set n.a = n.a + [i] %}{% endfor %}{{ n.a }}"],
    "percent": ["{{ '%s' % 1 }}{{ '%s %s' % (1, 'a') }}{{ '%(a)s' % {'a': 1} }}{{ '%%' % () }}", "{{ '%d %i %5d|%-5d|%05d|%+d|% d' % (1, 2, 3, 4, 5, 6, 7) }}", "{{ '%x %X %o %#x %#o' % (255, 255, 8, 255, 8) }}", "{{ '%f %.2f %10.3f|%-10.1f|%e %.0e %g %G' % (1.5, 2.345, 3.14159, 2.25, 12345.678, 12345.678, 0.00001, 1e20) }}", "{{ '%r %c %c' % ('\u00e9', 'x', 65) }}", "{{ '%5s|%-5s|%.2s' % ('a', 'b', 'cde') }}", "{{ '%s' % none }}{{ '%s' % true }}{{ '%d' % true }}{{ '%d' % 2.9 }}", "{{ '%d' % 'a' }}", "{{ '%x' % 1.5 }}", "{{ '%f' % 'a' }}", "{{ '%s %s' % 1 }}", "{{ '%s' % (1, 2) }}", "{{ 'a' % 1 }}", "{{ 'a' % [] }}{{ 'a' % {} }}", "{{ '%y' % 1 }}", "{{ '%' % 1 }}", "{{ '%(a)s' % 1 }}", "{{ '%(b)s' % {'a': 1} }}", "{{ '%(a' % {'a': 1} }}", "{{ '%s' % nothing }}|", "{{ '%d' % nothing }}", "{{ '%c' % 'ab' }}", "{{ '%s' % ((1, 2),) }}{{ '%s' % [1, 2] }}", "{{ '%010.3f|%+.1e|%#.0f' % (3.14159, 1234.5, 3.0) }}", "{{ '%s' % 123456789012345678901234567890 }}{{ '%d' % 123456789012345678901234567890 }}{{ '%x' % 123456789012345678901234567890 }}", "{{ '%5.3d|%-6x|%06.2f' % (7, 255, -1.5) }}", "{{ '%ld' % 5 }}", "{{ '%g %g %g %g' % (100000, 1000000, 1e-4, 123456.789) }}", "{{ '%s' % messages }}"],
    "format": ["{{ '{} {}'.format(1, 'a') }}{{ '{0}{1}{0}'.format(1, 2) }}{{ '{a}'.format(a=1) }}{{ '{{}}'.format() }}", "{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^7}|{:05}'.format(1, 2, 'a', 'b', 'c', 3) }}", "{{ '{:d} {:x} {:X} {:o} {:b} {:#x} {:#b} {:,} {:_} {:+} {: }'.format(1, 255, 255, 8, 5, 255, 5, 1234567, 1234567, 5, 6) }}", "{{ '{:f} {:.2f} {:e} {:g} {:.3g} {:%} {:.1%} {:,.2f} {:+.1f} {:G}'.format(1.5, 2.345, 12345.678, 1e-5, 1234.5, 0.25, 0.255, 1234567.891, 2.0, 1e20) }}", "{{ '{!r} {!s}'.format('a', 'b') }}", "{{ '{0.x} {0[x]} {1[0]}'.format({'x': 1}, [2]) }}", "{{ '{:{}}|'.format('a', 5) }}{{ '{:{w}.{p}}|'.format('abcdef', w=6, p=3) }}", "{{ '{}'.format() }}", "{{ '{1}'.format(1) }}", "{{ '{a}'.format(b=1) }}", "{{ '{'.format() }}", "{{ '}'.format() }}", "{{ '{0} {}'.format(1) }}", "{{ '{} {0}'.format(1) }}", "{{ '{:d}'.format('a') }}", "{{ '{:s}'.format(1) }}", "{{ '{:d}'.format(1.5) }}", "{{ '{:5}'.format(none) }}", "{{ '{:5}'.format([]) }}", "{{ '{!x}'.format(1) }}", "{{ '{:.2}'.format(1) }}", "{{ '{:q}'.format(1) }}", "{{ '{:.3}|{:.3}|{:10}|{:5}'.format(1.23456, 'abcd', 1.5, true) }}", "{{ '{:=+8d}|{:=8}|{:<08}'.format(42, -3, 5) }}", "{{ '{}'.format(none) }}{{ '{}'.format(true) }}{{ '{}'.format(1.0) }}{{ '{}'.format([1]) }}", "{{ '{a.b}'.format(a={'b': 2}) }}", "{{ '{a.__class__}'.format(a=1) }}", "{{ '{a.__class__.x}'.format(a=1) }}", "{{ '{:.0f} {:.0f} {:.0f}'.format(0.5, 1.5, 2.5) }}", "{{ '{:,}'.format(1234.5) }} {{ '{:,}'.format(-1234567) }} {{ '{:010,}'.format(1234) }} {{ '{:_x}'.format(1048576) }}", "{{ '{:.2f}'.format(1) }} {{ '{:e}'.format(12) }} {{ '{:.1%}'.format(1) }}"],
}


# What is otherwise on purpose; doc.go has the list.
OTHERWISE = [r"No filter named .\w+\.", r"\|filesizeformat.*ValueError", r"nothing\|(indent\(\[\]\)|attr\('__class)", r"Markup", r"\d{20,}\|round\(-1", r"^\{\{ \(10\) / \(1234", r"^\{\{ \((2|7|10)\) \*\* \(-?\d\.5\)"]


def left_out(row):
    """Addresses are never the same, complex numbers are not supported, and Python's compiler says break otherwise."""
    text = json.dumps(row, ensure_ascii=False)
    return row[-1] == "undefined" or any(s in text for s in [" at 0x", "j)\"", "outside loop", "in loop"]) or any(re.search(p, text[2:]) for p in OTHERWISE)


def rows_of(sources):
    """All that render, and of errors two of each kind."""
    rows, errors = [], {}
    for row in map(render, dict.fromkeys(sources)):
        if len(row) > 2:
            errors[row[2]] = errors.get(row[2], 0) + 1
        if not left_out(row) and (len(row) == 2 or errors[row[2]] <= 2):
            rows.append(row)
    return rows


def dump(rows):
    return "[\n" + ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows) + "\n]"


def write(name, groups):
    with open(os.path.join("golden", name + ".json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ": " + dump(rows) for k, rows in groups.items()) + "\n}\n")


def make_golden():
    os.makedirs("golden", exist_ok=True)
    for old in os.listdir("golden"):
        os.remove(os.path.join("golden", old))
    groups = {name: [] for name in sorted(FILTERS.keys() | EXTRA.keys())}
    for name, arguments in FILTERS.items():
        tail = "|list" if name in GENERATORS or name == "reverse" else ""
        for a in arguments:
            groups[name] += rows_of("{{ %s|%s%s%s }}" % (v if v[0] != "-" else "(" + v + ")", name, a, tail) for v in VALUES)
    for name, sources in EXTRA.items():
        groups[name] += [r for r in map(render, sources) if not left_out(r)]
    write("filters", groups)
    write("tests", {name: sum((rows_of("{{ (%s) is %s%s }}" % (v, name, a) for v in VALUES) for a in arguments), []) + rows_of(EXTRA_TESTS.get(name, [])) for name, arguments in TESTS.items()})
    groups = {}
    for op in BINARY:
        groups[NAMES[op]] = rows_of("{{ (%s) %s (%s) }}" % (a, op, b) for a in SMALL for b in SMALL)
        if op in ["+", "-", "*", "/", "//", "%", "**", "==", "<", ">="]:
            groups[NAMES[op]] += rows_of("{{ (%s) %s (%s) }}" % (a, op, b) for a in NUMBERS for b in NUMBERS if not (op == "**" and (len(b) > 8 or len(a) > 8)))
    for op, name in [("-", "neg"), ("+", "pos"), ("not ", "not")]:
        groups[name] = rows_of("{{ %s(%s) }}" % (op, v) for v in VALUES)
    groups["str"] = rows_of("{{ [%s] }}|{{ (%s) ~ '' }}" % (v, v) for v in VALUES)
    write("operators", groups)
    write("methods", {kind + "." + name: sum((rows_of("{{ (%s).%s%s }}" % (v, name, a) for v in METHOD_VALUES[kind]) for a in arguments), []) for kind, methods in METHODS.items() for name, arguments in methods.items()})
    write("statements", {name: [r for r in map(render, dict.fromkeys(sources)) if not left_out(r)] for name, sources in STATEMENTS.items()})


class Grammar:
    """Random templates: mostly well typed, so that most of them render."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.loops = 0

    def pick(self, *choices):
        return self.r.choice(choices)

    def number(self, d):
        if d <= 0:
            return self.pick("0", "1", "2", "7", "2.5", "10", "true", "a", "-3")
        return self.pick(
            lambda: "(%s %s %s)" % (self.number(d - 1), self.pick("+", "-", "*", "//", "%", "/"), self.number(d - 1)), lambda: self.text(d - 1) + "|length", lambda: self.items(d - 1) + "|length",
            lambda: self.number(d - 1) + "|int", lambda: "(%s)|round(1)" % self.number(d - 1), lambda: "%s.count(%s)" % (self.text(0), self.text(0)), lambda: "%s.find(%s)" % (self.text(0), self.text(0)),
            lambda: "loop.%s" % self.pick("index", "index0", "revindex", "length") if self.loops else "3", lambda: "-" + self.number(0), lambda: self.number(0))()

    def text(self, d):
        if d <= 0:
            return self.pick("'x'", "'aB c'", "' pad '", "''", "'a,b,,c'", "s", "t", "'l\\nm'", "messages[0].content", "messages[1]['role']", "'\u00e9\u4f60'")
        return self.pick(
            lambda: "(%s + %s)" % (self.text(d - 1), self.text(d - 1)), lambda: "(%s ~ %s)" % (self.any(d - 1), self.any(d - 1)), lambda: "%s.%s()" % (self.text(d - 1), self.pick("upper", "lower", "strip", "title", "capitalize", "lstrip", "rstrip", "swapcase")),
            lambda: "%s|%s" % (self.text(d - 1), self.pick("upper", "lower", "trim", "title", "capitalize", "reverse", "indent(2)", "truncate(6)", "string", "center(9)", "tojson", "wordcount|string")), lambda: "%s.replace(%s, %s)" % (self.text(d - 1), self.text(0), self.text(0)),
            lambda: "%s[%s:%s]" % (self.text(d - 1), self.pick("", "1", "-2"), self.pick("", "3", "-1", "::-1"[1:])), lambda: "%s|join(%s)" % (self.items(d - 1), self.text(0)), lambda: "'%%s-%%s' %% (%s, %s)" % (self.any(d - 1), self.any(d - 1)), lambda: "'{}/{:>4}'.format(%s, %s)" % (self.any(d - 1), self.text(0)),
            lambda: "(%s if %s else %s)" % (self.text(d - 1), self.condition(d - 1), self.text(d - 1)), lambda: "%s * %s" % (self.text(0), self.pick("2", "0", "a")), lambda: "%s.partition(%s)[0]" % (self.text(d - 1), self.pick("','", "' '", "'B'")), lambda: "%s|default(%s)" % (self.pick("nothing", "s", "none"), self.text(0)), lambda: self.any(d - 1) + "|string", lambda: self.any(d - 1) + "|tojson")()

    def items(self, d):
        if d <= 0:
            return self.pick("[1, 2, 3]", "[]", "l", "['b', 'A']", "(1, 'x')", "range(3)", "messages", "{'k': 1, 'j': 2}", "people")
        return self.pick(
            lambda: "[%s]" % ", ".join(self.any(d - 1) for _ in range(self.r.randint(0, 3))), lambda: "%s.split(%s)" % (self.text(d - 1), self.pick("", "','", "' '", "' ', 1")), lambda: "%s|list" % self.items(d - 1), lambda: "(%s|list)[%s:%s]" % (self.items(d - 1), self.pick("", "1", "-1"), self.pick("", "2", "-1")),
            lambda: "%s|map('string')|list" % self.items(d - 1), lambda: "%s|map('string')|sort" % self.items(d - 1), lambda: "people|map(attribute=%s)|list" % self.pick("'name'", "'age'", "'tag.x', default=0"), lambda: "people|sort(attribute=%s)" % self.pick("'age'", "'name'", "'age,name'"),
            lambda: "%s|select(%s)|list" % (self.items(d - 1), self.pick("", "'string'", "'defined'", "'number'", "'in', [1, 'x']")), lambda: "%s|reverse|list" % self.items(d - 1), lambda: "(%s|list + %s|list)" % (self.items(d - 1), self.items(d - 1)), lambda: "%s|batch(2)|list" % self.items(d - 1), lambda: "{%s: %s}" % (self.text(0), self.any(d - 1)),
            lambda: "%s.items()|list" % self.pick("{'k': 1, 'j': 2}", "messages[0]"), lambda: "%s|unique|list" % self.pick("[1, 2, 1]", "'abca'", "['a', 'A']"), lambda: "%s|groupby('age')" % "people", lambda: "%s.splitlines()" % self.text(d - 1), lambda: "%s|dictsort" % self.pick("{'k': 1, 'j': 2}", "messages[1]"), lambda: "people|selectattr('age', %s)|list" % self.pick("'odd'", "'gt', 1", "'eq', 3"))()

    def condition(self, d):
        if d <= 0:
            return self.pick("true", "false", "a", "s", "l", "nothing is defined", "none is none", "loop.first" if self.loops else "1")
        return self.pick(
            lambda: "%s %s %s" % (self.number(d - 1), self.pick("==", "<", ">=", "!="), self.number(d - 1)), lambda: "%s in %s" % (self.text(d - 1), self.text(d - 1)), lambda: "%s in %s" % (self.any(d - 1), self.items(d - 1)), lambda: "(%s %s %s)" % (self.condition(d - 1), self.pick("and", "or"), self.condition(d - 1)), lambda: "not (%s)" % self.condition(d - 1),
            lambda: "(%s) is %s" % (self.any(d - 1), self.pick("string", "number", "mapping", "iterable", "sequence", "none", "defined", "boolean", "not string", "integer", "float")), lambda: "%s.%s(%s)" % (self.text(d - 1), self.pick("startswith", "endswith"), self.text(0)), lambda: "0 < %s <= 9" % self.number(d - 1), lambda: "%s == %s" % (self.any(d - 1), self.any(d - 1)), lambda: "%s < %s" % (self.text(d - 1), self.text(d - 1)))()

    def any(self, d):
        return self.pick(self.number, self.text, self.text, self.items, lambda d: "(%s)" % self.condition(d), lambda d: self.pick("none", "nothing", "true"))(d)

    def tag(self, body):
        return "{%" + self.pick("", "", "-", "+") + " " + body + " " + self.pick("", "", "", "-") + "%}"

    def block(self, d):
        return "".join(self.statement(d) for _ in range(self.r.randint(1, 3)))

    def statement(self, d):
        if d <= 0:
            return self.pick(lambda: self.pick("x", "\n", "  ", " a\n  b", "\n\n"), lambda: "{{ %s }}" % self.any(2), lambda: "{{- %s -}}" % self.text(2))()
        return self.pick(self.loop, self.condition_block, self.assign, self.macro, lambda d: "{{ %s }}" % self.any(3), lambda d: self.statement(0), lambda d: self.tag("filter " + self.pick("upper", "trim", "indent(1)")) + self.block(d - 1) + self.tag("endfilter"),
                         lambda d: self.tag("with a = %s" % self.number(1)) + self.block(d - 1) + self.tag("endwith"), lambda d: self.tag("set ns.n = ns.n + %s" % self.number(1)) + "{{ ns.n }}", lambda d: "{# c #}" + self.pick("", "\n"))(d)

    def loop(self, d):
        recursive = self.pick("", "", "", " if i is defined", " if loop is undefined or 1")
        head = self.tag("for i in %s%s" % (self.items(2), recursive))
        self.loops += 1
        body = self.block(d - 1) + self.pick("", "{{ i }}", "{{ loop.index }},", self.tag("if loop.index > 2") + self.tag(self.pick("break", "continue")) + self.tag("endif"), "{{ loop.cycle('p', 'q') }}", "{{ loop.changed(i) }}", "{{ loop.nextitem is defined }}")
        self.loops -= 1
        return head + body + self.pick("", self.tag("else") + self.block(0)) + self.tag("endfor")

    def condition_block(self, d):
        return self.tag("if " + self.condition(2)) + self.block(d - 1) + self.pick("", self.tag("else") + self.block(d - 1), self.tag("elif " + self.condition(1)) + self.block(d - 1)) + self.tag("endif")

    def assign(self, d):
        return self.pick(lambda: self.tag("set s = " + self.text(2)), lambda: self.tag("set a = " + self.number(2)), lambda: self.tag("set l = " + self.items(2)), lambda: self.tag("set s, a = %s, %s" % (self.text(1), self.number(1))), lambda: self.tag("set t") + self.block(d - 1) + self.tag("endset"))()

    def macro(self, d):
        loops, self.loops = self.loops, 0
        text = self.tag("macro m(p, q=%s)" % self.any(1)) + self.block(d - 1) + "{{ p }}{{ q }}" + self.pick("", "{{ caller() if caller }}") + self.tag("endmacro")
        self.loops = loops
        return text + self.pick("{{ m(%s) }}" % self.any(1), "{{ m(%s, q=%s) }}" % (self.any(1), self.any(1)), "{{ m() }}")

    def template(self):
        return "{% set s = 'S s' %}{% set t = 'T' %}{% set a = 2 %}{% set l = [3, 'z'] %}{% set ns = namespace(n=0) %}" + "".join(self.statement(3) for _ in range(self.r.randint(1, 4)))


def make_random(seed, count):
    grammar = Grammar(seed)
    rows = []
    while len(rows) < count:
        row = render(grammar.template())
        if not left_out(row) and len(row[1] or "") < 2000:
            rows.append(row)
    with open("random.json", "w", encoding="utf-8") as f:
        f.write(dump(rows) + "\n")
    print("seed", seed, "templates", len(rows), "of which are errors", sum(len(r) > 2 for r in rows))


if len(sys.argv) == 1:
    make_golden()
    with open("variables.json", "w", encoding="utf-8") as f:
        json.dump(VARIABLES, f, ensure_ascii=False)
make_random(int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 350)
