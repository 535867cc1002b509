"""Wiki markup of Jira: each sign of the notation is read, and text that only looks like it stays what it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.jira import text


@pytest.mark.parametrize(
    ("wiki", "plain", "markdown"),
    [
        ("h1. Title", "Title", "# Title"),
        ("h6. *T* {{c}}", "T c", "###### **T** `c`"),
        ("*strong* _em_ ??cite??", "strong em cite", "**strong** *em cite*"),
        ("-gone- +new+", "gone new", "~~gone~~ <ins>new</ins>"),
        ("mc^2^ H~2~O ^a b^ ~c~", "mc2 H2O a b c", "mc<sup>2</sup> H<sub>2</sub>O <sup>a b</sup> <sub>c</sub>"),
        ("{{a *b*}}", "a *b*", "`a *b*`"),
        ("*a _b_ c*", "a b c", "**a *b* c**"),
        ("un{*}believ{*}able", "unbelievable", "un**believ**able"),
        (r"\*a\* \{b\}", "*a* {b}", r"\*a\* {b}"),
        ("bq. said", "said", "> said"),
        ("{quote}a\n\nb{quote}", "a\n\nb", "> a\n>\n> b"),
        ("{color:red}a{color} *{color:#fff}b{color}*", "a b", "a **b**"),
        ("a\\\\b\nc", "a\nb\nc", "a\\\nb\\\nc"),
        ("a\n----\nb", "a\n\n---\n\nb", "a\n\n___\n\nb"),
        ("[here|https://a.b/c?d=e|tip]", "here (https://a.b/c?d=e)", "[here](https://a.b/c?d=e)"),
        ("[https://a.b]", "https://a.b", "<https://a.b>"),
        ("see https://a.b/c_d_e.", "see https://a.b/c_d_e.", "see <https://a.b/c_d_e>."),
        ("[mailto:a@b.de]", "mailto:a@b.de", "<mailto:a@b.de>"),
        ("[~ann] [~accountid:5:6]", "@ann @5:6", "@ann @5:6"),
        ("[^log.txt]", "log.txt (attachment:log.txt)", "[log.txt](attachment:log.txt)"),
        ("!a b.png|width=5!", "a b.png", "![a b.png](<attachment:a b.png>)"),
        ("!https://a.b/c.png!", "https://a.b/c.png", "![](https://a.b/c.png)"),
        ("* a\n** b\n*# c\n* d", "- a\n  - b\n  1. c\n- d", "- a\n  - b\n\n  <!-- -->\n\n  1. c\n- d"),
        ("# a\n# b\nmore\n\ntext", "1. a\n2. b\n   more\n\ntext", "1. a\n2. b\\\n   more\n\ntext"),
        ("- a\n-- b", "- a\n  - b", "- a\n  - b"),
        ("||a||b||\n|1|[x|https://y.z]|", "a | b\n1 | x (https://y.z)",
         "| a | b |\n| --- | --- |\n| 1 | [x](https://y.z) |"),
        ("|a\\|b|two\nlines|", "a|b | two lines", "|  |  |\n| --- | --- |\n| a\\|b | two<br>lines |"),
        ("|a|{code}x|y{code}|", "a | x|y", "|  |  |\n| --- | --- |\n| a | `x\\|y` |"),
        ("{code:java}\nint *a* = 1;\n{code}", "int *a* = 1;", "```java\nint *a* = 1;\n```"),
        ("{code:title=A.py|language=python}\nx\n{code}", "A.py\n\nx", "**A.py**\n\n```python\nx\n```"),
        ("a {noformat}*b*{noformat} c", "a \n\n*b*\n\n c", "a\n\n```\n*b*\n```\n\nc"),
        ("{panel:title=T|borderStyle=solid}\n* a\n{panel}", "T\n\n- a", "> **T**\n>\n> - a"),
        ("* a\n{code}\nx\n{code}\n* b", "- a\n  x\n- b", "- a\n\n  ```\n  x\n  ```\n- b"),
    ],
)  # fmt: skip
def test_the_notation(wiki: str, plain: str, markdown: str) -> None:
    assert text.to_plain(wiki) == text.to_plain(wiki, kind="wiki") == plain
    assert text.to_markdown(wiki) == markdown
    assert text.to_plain(wiki, kind="plain") == wiki


@pytest.mark.parametrize(
    "ordinary",
    [
        "On Mon, Ann wrote:\n> a_b_c@d-e.org\n> 2 * 3 * 4\n\n\n-- \nAnn\n",
        "-----Original Message-----\nFrom: Ann <a-b@c-d.de>\nSent: 2020-01-02 - 2020-01-05",
        '<div class="a_b"><b>x</b> <!-- c --> <a href="https://x_y_z/">-1 &amp; -2</a></div>',
        "snake_case_name and kebab-case-name, 5*3*2, C++ and D++, a^b, ~5, x + y + z, (-1)-(-2)",
        r"C:\temp\x_y_z \\server\share_a_b C:\\x\\y",
        "[a-z]+ [x|y] [1] {a: 1} {{}} {unknown} $x_1$ #5 100% wow!! really?? *",
        "{code} nothing closes this, {panel:title=x} nor this",
        "   indented\n\tlines\r\n\r\n\r\nof text",
        "ls -l --all | grep -v x",
        "--all the rest- of **it* and __init_ too",
        "a ** b -- _ _",
        "你好 _ 世界",
    ],
)
def test_text_that_only_looks_like_it_stays_as_it_was(ordinary: str) -> None:
    assert text.to_plain(ordinary) == ordinary


signs = st.sampled_from(
    ["*", "_", "-", "+", "^", "~", "??", "{", "}", "{{", "}}", "[", "]", "|", "||", "!", "#", "\\", "\\\\", "\n", " ",
     "\n\n", "h1. ", "bq. ", "{code}", "{code:java}", "{quote}", "{panel:title=t}", "{panel}", "{noformat}",
     "{color:red}", "{color}", "\n* ", "\n## ", "\n|", "\n----\n", "://", ".png", "a", "b9", "é", "[x|https://a.b]",
     "[~c]", "<", "&"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(signs, max_size=25).map("".join))
def test_every_word_is_kept_whatever_stands_around_it(wiki: str) -> None:
    shown = str(text.to_plain(wiki, kind="wiki"))
    for macro in ("{code:java}", "{panel:title=t}", "{color:red}", "{code}", "{panel}", "{color}", "{quote}",
                  "{noformat}", "h1.", "bq."):  # fmt: skip
        wiki = wiki.replace(macro, " ")
    for word in ("b9", "é"):
        assert shown.count(word) >= wiki.count(word), shown
    text.to_markdown(wiki)


@given(st.text(st.characters(categories=["L", "N", "Z"], include_characters=".,;:'\"()/<>&%$=@\n"), max_size=60))
def test_text_without_signs_is_returned_as_it_came(ordinary: str) -> None:
    assert text.to_plain(ordinary) == ordinary or "h" in ordinary or "b" in ordinary


@pytest.mark.parametrize(
    "part", ["*a ", "_a*b-c", "{panel:a}", "[a|", "{{a ", "!a.b", "a@", "http://", "|a", "* a\n", "a", "{code}"]
)
def test_a_long_line_takes_time_in_proportion(part: str) -> None:
    def seconds(times: int) -> float:
        started = time.process_time()
        text.to_plain(part * times)
        return time.process_time() - started

    seconds(500)
    assert min(seconds(8_000) for _ in range(3)) < 12 * seconds(2_000) + 0.5  # other work on the machine counts in
