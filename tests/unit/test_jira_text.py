"""Rich text of Jira: nothing that was written is lost, and the Markdown is read back as what it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira import text
from datalake_kit.jira.text import documents

TYPES = json.loads((Path(__file__).parents[1] / "data" / "adf_types.json").read_text("utf-8"))
READER = MarkdownIt("commonmark", {"maxNesting": 1000}).enable(["table", "strikethrough"])
Node = dict[str, Any]


def said(words: str, *marks: str | Node) -> Node:
    return {"type": "text", "text": words, "marks": [{"type": m} if isinstance(m, str) else m for m in marks]}


def node(kind: str, *content: Any, **attrs: Any) -> Node:
    return {"type": kind, "attrs": attrs, "content": list(content)}


def doc(*content: Any) -> Node:
    return {"type": "doc", "version": 1, "content": list(content)}


def link(href: str, **attrs: Any) -> Node:
    return {"type": "link", "attrs": {"href": href, **attrs}}


def runs(token: Token) -> list[tuple[str, frozenset[str]]]:
    """What an inline token shows, letter by letter, with the tags around it."""
    found: list[tuple[str, frozenset[str]]] = []
    active: list[str] = []
    for child in token.children or []:
        tag = {"s": "del"}.get(child.tag, child.tag)
        html = re.fullmatch(r"<(/?)(\w+)>", child.content) if child.type == "html_inline" else None
        if child.nesting == 1 or (html and not html.group(1)):
            active.append(html.group(2) if html else tag)
        elif child.nesting == -1 or html:
            assert active.pop() == (html.group(2) if html else tag)
        elif child.type in ("hardbreak", "softbreak"):
            found.append(("\n", frozenset()))
        else:
            marks = frozenset(active) | ({"code"} if child.type == "code_inline" else set())
            found += [(letter, marks) for letter in child.content]
    assert not active
    return [(letter, marks) for letter, marks in found if not letter.isspace()]


# ---------------------------------------------------------------- every type of the schema


@pytest.mark.parametrize("kind", TYPES["nodes"])
def test_every_node_type_of_the_schema_is_known_and_keeps_what_it_holds(kind: str) -> None:
    assert kind in documents.KNOWN_NODES
    inner = node(kind, node("paragraph", said("held")), text="told", title="named", localId="1")
    for shown in (text.to_plain(doc(inner)), text.to_markdown(doc(inner))):
        assert shown is not None
        assert "held" in shown


@pytest.mark.parametrize("kind", TYPES["marks"])
def test_text_under_every_mark_of_the_schema_is_kept(kind: str) -> None:
    assert kind in documents.KNOWN_MARKS
    marked = {"type": kind, "attrs": {"href": "https://a.b", "type": "sub", "color": "#ffffff"}}
    for convert in (text.to_plain, text.to_markdown):
        assert "word" in str(convert(doc(node("paragraph", said("word", marked)))))


def test_nothing_is_called_known_that_the_schema_does_not_have() -> None:
    assert set(TYPES["nodes"]) == documents.KNOWN_NODES
    assert set(TYPES["marks"]) == documents.KNOWN_MARKS


@pytest.mark.parametrize(
    ("inner", "plain", "markdown"),
    [
        (node("mention", id="5", text="@Ann"), "@Ann", "@Ann"),
        (node("mention", id="5"), "@5", "@5"),
        (node("emoji", shortName=":a_b:", text="😀"), "😀", "😀"),
        (node("emoji", shortName=":atlassian:"), ":atlassian:", ":atlassian:"),
        (node("date", timestamp="1582152559000"), "2020-02-19", "2020-02-19"),
        (node("date", timestamp="soon"), "soon", "soon"),
        (node("date", timestamp="9e99"), "9e99", "9e99"),
        (node("status", text="in *progress*", color="blue"), "in *progress*", r"**in \*progress\***"),
        (node("inlineCard", url="https://a.b/c_d"), "https://a.b/c_d", "<https://a.b/c_d>"),
        (node("inlineCard", data={"url": "https://a.b", "name": "N"}), "N", "[N](https://a.b)"),
        (node("mediaInline", id="77", type="file", alt="p.png"), "p.png", "![p.png](attachment:77)"),
        (node("image", src="https://a.b/i.png", alt="an i"), "an i", "![an i](https://a.b/i.png)"),
        (node("placeholder", text="type here"), "type here", "type here"),
        (node("inlineExtension", extensionKey="toc"), "[toc]", r"\[toc\]"),
        (node("inlineExtension", extensionKey="toc", text="Contents"), "Contents", "Contents"),
        (node("confluenceJiraIssue", issueKey="A-1"), "A-1", "A-1"),
        (node("unsupportedInline", originalValue=said("was")), "was", "was"),
        (said("here", link("https://a.b")), "here (https://a.b)", "[here](https://a.b)"),
        (said("https://a.b", link("https://a.b")), "https://a.b", "<https://a.b>"),
        (said("x@y.de", link("mailto:x@y.de")), "x@y.de", "[x@y.de](mailto:x@y.de)"),
        (said("t", link("https://a.b/(x)", title='"q"')), "t (https://a.b/(x))", '[t](<https://a.b/(x)> "\\"q\\"")'),
    ],
)  # fmt: skip
def test_what_stands_within_a_line(inner: Node, plain: str, markdown: str) -> None:
    assert text.to_plain(doc(node("paragraph", inner))) == plain
    assert text.to_markdown(doc(node("paragraph", inner))) == markdown


def item(*content: Any) -> Node:
    return node("listItem", *content)


def para(words: str) -> Node:
    return node("paragraph", said(words))


@pytest.mark.parametrize(
    ("inner", "plain", "markdown"),
    [
        (node("heading", said("C #"), level=3), "C #", "### C \\#"),
        (node("heading", said("H"), level="x"), "H", "# H"),
        (node("bulletList", item(para("a"), node("orderedList", item(para("b")), order=7)), item(para("c"))),
         "- a\n  7. b\n- c", "- a\n\n  7. b\n- c"),
        (node("orderedList", item(para("a")), item(para("b"), para("c")), order=9),
         "9. a\n10. b\n    c", "9. a\n10. b\n\n    c"),
        (node("taskList", node("taskItem", said("a"), state="DONE"), node("taskList", node("taskItem", said("b"))),
              node("blockTaskItem", para("c"), state="TODO")),
         "- [x] a\n  - [ ] b\n- [ ] c", "- [x] a\n  - [ ] b\n- [ ] c"),
        (node("decisionList", node("decisionItem", said("go"))), "<> go", "- \\<> go"),
        (node("codeBlock", said("a *b*\n```\n"), language="c++"), "a *b*\n```", "````c++\na *b*\n```\n\n````"),
        (node("blockquote", para("a"), para("b")), "a\n\nb", "> a\n>\n> b"),
        (node("panel", para("a"), panelType="error"), "a", "> **Error**\n>\n> a"),
        (node("panel", para("a"), panelType="custom", panelIcon=":x:"), "a", "> a"),
        (node("expand", para("a"), title="T"), "T\na", "**T**\n\na"),
        (node("rule"), "---", "___"),
        (node("mediaSingle", node("media", type="file", id="7", alt="a.png"), node("caption", said("cap"))),
         "a.png\ncap", "![a.png](attachment:7)\n\ncap"),
        (node("media", type="external", url="https://a.b/c.png"), "https://a.b/c.png", "![](https://a.b/c.png)"),
        (node("blockCard", datasource={"id": "1"}), "[data source]", r"\[data source\]"),
        (node("embedCard", url="https://a.b"), "https://a.b", "<https://a.b>"),
        (node("extension", extensionKey="chart"), "[chart]", r"\[chart\]"),
        (node("bodiedExtension", para("b"), extensionKey="e", text="t"), "t\n\nb", "t\n\nb"),
        (node("layoutSection", node("layoutColumn", para("l")), node("layoutColumn", para("r"))), "l\n\nr", "l\n\nr"),
        (node("syncBlock", resourceId="1"), "[synced block]", r"\[synced block\]"),
        (node("unsupportedBlock", originalValue=para("was")), "was", "was"),
        (node("confluenceUnsupportedBlock", cxhtml="<p>x</p>"), "<p>x</p>", "\\<p>x\\</p>"),
        (node("paragraph", said("a"), {"type": "hardBreak"}, said("- b"), {"type": "hardBreak"}),
         "a\n- b", "a\\\n\\- b"),
    ],
)  # fmt: skip
def test_blocks(inner: Node, plain: str, markdown: str) -> None:
    assert text.to_plain(doc(inner)) == plain
    assert text.to_markdown(doc(inner)) == markdown


def test_tables_keep_their_columns_under_spans() -> None:
    def cell(words: str, kind: str = "tableCell", **attrs: Any) -> Node:
        return node(kind, para(words), **attrs)

    table = node(
        "table",
        node("tableRow", cell("a|b", "tableHeader", colspan=2), cell("c", "tableHeader")),
        node("tableRow", cell("1", rowspan=2), cell("2"), node("tableCell", node("codeBlock", said("x|\ny")))),
        node("tableRow", cell("4"), node("tableCell", node("bulletList", item(para("p")), item(para("q"))))),
    )
    markdown = text.to_markdown(doc(table))
    assert markdown == "| a\\|b |  | c |\n| --- | --- | --- |\n| 1 | 2 | `x\\|`<br>`y` |\n|  | 4 | - p<br>- q |"
    cells = [t.content for t in READER.parse(markdown) if t.type == "inline"]
    assert cells == ["a|b", "", "c", "1", "2", "`x|`<br>`y`", "", "4", "- p<br>- q"]
    assert text.to_plain(doc(table)) == "a|b | c\n1 | 2 | x| y\n4 | - p - q"


def test_a_table_without_a_header_has_an_empty_one() -> None:
    table = node("table", node("tableRow", node("tableCell", para("a")), node("tableCell")))
    assert text.to_markdown(doc(table)) == "|  |  |\n| --- | --- |\n| a |  |"
    assert text.to_plain(doc(table)) == "a | "  # an empty cell keeps its place


def test_lists_that_follow_each_other_stay_two() -> None:
    lists = [node("bulletList", item(para("a"))), node("bulletList", item(para("b")))]
    kinds = [token.type for token in READER.parse(str(text.to_markdown(doc(*lists))))]
    assert kinds.count("bullet_list_open") == 2


# ---------------------------------------------------------------- whatever comes

words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=5)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
node_types = st.sampled_from([*TYPES["nodes"], "unheardOf", None, 5])
junk = st.none() | st.integers() | st.booleans() | st.lists(st.integers(), max_size=1) | st.just({})


def nodes_above(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": node_types, "content": st.lists(below, max_size=4) | below},
        optional={"attrs": junk | st.dictionaries(st.sampled_from(["title", "state", "order", "level"]), junk),
                  "marks": junk, "text": texts | junk},
    )  # fmt: skip


leaves = st.fixed_dictionaries({"type": st.just("text"), "text": texts}, optional={"marks": junk}) | texts
trees = st.recursive(leaves, nodes_above, max_leaves=20)


def written(raw: Any) -> list[str]:
    """Every text leaf of a document, in order: found by another way than the one tested."""
    if isinstance(raw, str):
        return [raw]
    if isinstance(raw, list):
        return [leaf for part in raw for leaf in written(part)]
    if not isinstance(raw, dict):
        return []
    own = raw.get("text")
    return [*([own] if isinstance(own, str) else []), *written(raw.get("content"))]


@settings(max_examples=60)
@given(trees)
def test_every_text_of_any_document_is_in_the_plain_text(tree: Any) -> None:
    shown = " ".join(str(text.to_plain(doc(tree))).split())
    place = 0
    for leaf in written(tree):
        place = shown.index(" ".join(leaf.split()), place)


@settings(max_examples=60)
@given(trees)
def test_every_word_of_any_document_is_shown_by_its_markdown(tree: Any) -> None:
    markdown = str(text.to_markdown(doc(tree)))
    shown = "".join(_shown(token) for token in READER.parse(markdown))
    shown = re.sub(r"\s", "", shown)
    for leaf in written(tree):
        for word in leaf.split():
            assert word in shown, markdown


def _shown(token: Token) -> str:
    if token.type == "inline":
        return "".join(_shown(child) for child in token.children or [])
    return "" if token.type.startswith("html") else token.content


MARKS = {"strong": "strong", "em": "em", "strike": "del", "underline": "ins"}
marked = st.lists(
    st.tuples(
        st.text(st.sampled_from("ab .*_~`é€🚀(!<&;#"), min_size=1, max_size=4),
        st.frozensets(st.sampled_from([*MARKS, "sup", "code"]), max_size=3),
    ),
    min_size=1,
    max_size=6,
)


@given(marked)
def test_marks_are_read_back_from_markdown_as_they_were(pieces: list[tuple[str, frozenset[str]]]) -> None:
    sup = {"type": "subsup", "attrs": {"type": "sup"}}
    content = [said(t, *(sup if m == "sup" else m for m in sorted(marks))) for t, marks in pieces]
    tags = {**MARKS, "sup": "sup", "code": "code"}
    expected = [(x, frozenset(tags[m] for m in marks)) for t, marks in pieces for x in t if not x.isspace()]
    markdown = str(text.to_markdown(doc(node("paragraph", *content))))
    read = [pair for token in READER.parse(markdown) if token.type == "inline" for pair in runs(token)]
    assert read == expected, markdown


@given(texts, st.text(st.sampled_from("a/()<> \\*_&;%"), min_size=1, max_size=8), st.sampled_from(["strong", "em"]))
def test_links_are_read_back_from_markdown_as_they_were(label: str, path: str, mark: str) -> None:
    href = f"https://x.y/{path.strip()}"
    markdown = str(text.to_markdown(doc(node("paragraph", said("see"), said(label, link(href), mark), said("!")))))
    inline = next(token for token in READER.parse(markdown) if token.type == "inline")
    opened = [child for child in inline.children or [] if child.type == "link_open"]
    assert [child.attrs["href"] for child in opened] == [READER.normalizeLink(href)], markdown
    assert "".join(letter for letter, marks in runs(inline) if "a" in marks) == "".join(label.split())


lines = st.lists(st.text(st.sampled_from("ab 1.)-+*#>=|:~`_\t"), min_size=1, max_size=6), min_size=1, max_size=3)


@given(lines, st.sampled_from(["paragraph", "listItem", "blockquote", "tableCell"]))
def test_text_that_looks_like_markdown_stays_text(rows: list[str], within: str) -> None:
    content = node("paragraph", *(part for row in rows for part in (said(row), {"type": "hardBreak"})))
    inner = content if within == "paragraph" else node(within, content)
    inner = node("bulletList", inner) if within == "listItem" else inner
    inner = node("table", node("tableRow", inner)) if within == "tableCell" else inner
    markdown = str(text.to_markdown(doc(inner)))
    shown = "".join(_shown(token) for token in READER.parse(markdown))
    assert "".join(shown.split()) == "".join("".join(rows).split()), markdown


@given(st.text(st.sampled_from("ab`~ \n*"), max_size=12), st.sampled_from(["doc", "listItem", "blockquote"]))
def test_code_is_read_back_from_markdown_to_the_letter(code: str, within: str) -> None:
    inner = node("codeBlock", said(code), language="sql")
    inner = {"listItem": node("bulletList", item(inner)), "blockquote": node("blockquote", inner)}.get(within, inner)
    fences = [token for token in READER.parse(str(text.to_markdown(doc(inner)))) if token.type == "fence"]
    if code.strip() or fences:
        assert [(token.content, token.info) for token in fences] == [(code + "\n" if code else "", "sql")]


@pytest.mark.parametrize("kind", ["blockquote", "bulletList", "listItem", "table", "panel", "unheardOf", "expand"])
def test_a_document_a_thousand_levels_deep(kind: str) -> None:
    inner = '{"type":"text","text":"deep \\"down\\""}'
    opened = f'{{"type":"{kind}","attrs":{{"title":"t"}},"content":[{{"type":"paragraph","content":["x"]}},'
    document = '{"type":"doc","content":[' + opened * 1200 + inner + "]}" * 1200 + "]}"
    for convert in (text.to_plain, text.to_markdown):
        shown = str(convert(document))
        assert 'deep "down"' in shown
        assert len(shown) < 1_000_000


@pytest.mark.parametrize("broken", ['{"type":"doc","content":[', '{"type": "doc"} and more', '{"a": "doc"}', "{doc}"])
def test_text_that_is_no_document_after_all_is_text(broken: str) -> None:
    assert text.to_plain(broken) == broken
    with pytest.raises(DataError, match="no Atlassian document"):
        text.to_plain(broken, kind="adf")


def test_missing_values_stay_missing_and_empty_documents_are_empty() -> None:
    assert [text.to_plain(value) for value in (None, float("nan"), pd.NA)] == [None] * 3
    assert text.to_plain(doc()) == text.to_markdown(doc()) == text.to_plain("") == ""
    with pytest.raises(ParameterError, match="html"):
        text.to_plain("x", kind="html")  # type: ignore[arg-type]


def test_columns_keep_index_and_name_and_convert_equal_texts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(text, "parse_wiki", lambda value: calls.append(value) or doc(para(value.strip("*"))))
    column = pd.Series(["*a*", None, "*a*", doc(para("d"))], index=[3, 1, 2, 0], name="body")
    found = text.plain(column)
    assert found.to_dict() == {3: "a", 1: np.nan, 2: "a", 0: "d"} or found.isna()[1]
    assert (found.name, found.dtype, calls) == ("body", "str", ["*a*"])
    assert text.markdown(pd.Series([], dtype="str")).empty


def test_documents_that_pandas_read_from_parquet_have_arrays() -> None:
    content = np.array(
        [{"type": "paragraph", "content": np.array([said("x")], dtype=object), "text": None}], dtype=object
    )
    assert text.to_plain({"type": "doc", "content": content}) == "x"


def test_documents_of_the_issues_at_hand() -> None:
    document = json.loads((Path(__file__).parents[1] / "data" / "jira" / "23_jiracli_issue.json").read_text("utf-8"))
    assert text.to_plain(document["fields"]["description"]) == "Test description"
