"""Pages that a person reads: one notebook without its code, and an index over several runs."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.errors import MissingPackageError
from datalake_kit.storage import write_atomically

if TYPE_CHECKING:
    from datalake_kit.runs.execute import RunResult

# Read on a wide screen and on a phone, by day and by night; nothing is fetched from elsewhere.
_STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5a6675; --ground: #f5f7f9; --card: #fff; --line: #d8dee5;
        --pass: #0072B2; --fail: #A3123A; --warn: #8A5A00; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6ebf1; --quiet: #9fabb8; --ground: #12171d; --card: #1b222b; --line: #313c48;
          --pass: #5cb8ea; --fail: #ff8098; --warn: #e6b04a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; line-height: 1.35; margin: 0 0 .5rem; }
a { color: var(--pass); } a:focus-visible { outline: 2px solid; outline-offset: 2px; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px;
      border: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .92rem; }
td, th { text-align: left; padding: .25rem 1.25rem .25rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem;
      overflow-x: auto; font-size: .88rem; }
@media (max-width: 760px) { main { padding: 1.25rem .9rem 2rem; } h1 { font-size: 1.35rem; } }
"""

_NOTEBOOK_STYLE = """
main { max-width: 60rem; }
h1 { margin-bottom: 1rem; } h2 { margin-top: 2.2rem; } h3 { margin-top: 1.6rem; font-size: 1rem; }
.anchor-link, .jp-InputArea, .prompt, .jp-Prompt { display: none; }
.jp-OutputArea-child, .output_area, .output_html, .jp-RenderedHTML, .jp-RenderedHTMLCommon { overflow-x: auto; }
.dataframe { border: 0; font-variant-numeric: tabular-nums; }
.dataframe td, .dataframe th { white-space: nowrap; text-align: right; padding: .2rem .7rem; border: 0;
                               border-bottom: 1px solid var(--line); }
.dataframe thead th { border-bottom: 2px solid var(--line); } .dataframe tbody th { color: var(--quiet); }
.jp-OutputArea-child { margin: .4rem 0; }
"""

_INDEX_STYLE = """
.lead { color: var(--quiet); margin: 0 0 1.75rem; max-width: 60rem; }
article { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 8fr); gap: 1.75rem; background: var(--card);
          border: 1px solid var(--line); border-radius: 10px; padding: 1.5rem; margin-bottom: 1.25rem; }
article p { margin: 0 0 .9rem; overflow-wrap: anywhere; } article img { width: 100%; }
.verdict { display: inline-block; font-weight: 600; border: 1.5px solid; border-radius: 999px; padding: .05rem .75rem;
           margin-bottom: .8rem; }
.passed { color: var(--pass); } .failed { color: var(--fail); } .error { color: var(--warn); }
.meta { color: var(--quiet); font-size: .9rem; }
.scroll { overflow-x: auto; } section { margin-top: 2rem; }
/* On a phone a picture keeps the width at which its text can be read, and is moved sideways. */
@media (max-width: 760px) {
  article { grid-template-columns: minmax(0, 1fr); padding: 1rem; gap: 1rem; } article img { min-width: 40rem; }
}
"""

_SIGNS = {"passed": "✓ passed", "failed": "✗ failed", "error": "! could not run"}


def notebook_page(notebook: Any, title: str) -> str:
    """Render an executed notebook as one HTML page without code; nothing is fetched from elsewhere."""
    try:
        from nbconvert import HTMLExporter
    except ImportError:
        raise MissingPackageError("Pages need nbconvert: pip install 'datalake_kit[notebooks]'.") from None
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    return _page(title, str(body), _NOTEBOOK_STYLE)


def _page(title: str, body: str, style: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{_STYLE}{style}</style></head>
<body><main>
{body}
</main></body></html>
"""


def write_index(
    file: str | Path,
    results: Sequence[RunResult],
    *,
    title: str,
    lead: str,
    tables: Iterable[Mapping[str, str]] = (),
    snippet: str = "",
) -> Path:
    """Write one page over several runs: verdict, sentence, main picture, seconds and link of each.

    Pictures and pages are linked relative to `file`, so the folder can be moved or served as it is.

    >>> write_index("runs/index.html", results, title="Nightly checks", lead="All tables.")  # doctest: +SKIP
    """
    target = Path(file).absolute()
    parts = [_card(r, target.parent) for r in results]
    listed = list(tables)
    if listed:
        parts.append(_tables(listed))
    if snippet:
        parts.append(f"<section><h2>Go on from here</h2><pre>{html.escape(snippet)}</pre></section>")
    passed = sum(r.ok for r in results)
    told = f"{html.escape(lead)} {passed} of {len(results)} notebooks passed."
    body = f'<h1>{html.escape(title)}</h1><p class="lead">{told}</p>{"".join(parts)}'
    with write_atomically(target) as temporary:
        temporary.write_text(_page(title, body, _INDEX_STYLE), encoding="utf-8")
    return target


def _card(result: RunResult, base: Path) -> str:
    link = html.escape(_relative(result.page, base))
    picture = "<p class='meta'>No picture.</p>"
    if result.picture is not None:
        source = html.escape(_relative(result.picture, base))
        picture = f"<a href='{link}'><img src='{source}' alt='Main picture of: {html.escape(result.title)}'></a>"
    return (
        f"<article><div><span class='verdict {result.status}'>{_SIGNS[result.status]}</span>"
        f"<h2>{html.escape(result.title)}</h2><p>{html.escape(result.sentence)}</p>"
        f"<p class='meta'>{result.seconds:.0f} s · <a href='{link}'>Open the page</a></p></div>"
        f"<div class='scroll'>{picture}</div></article>\n"
    )


def _tables(rows: Sequence[Mapping[str, str]]) -> str:
    names = list(rows[0])
    head = "".join(f"<th>{html.escape(n)}</th>" for n in names)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(r[n]))}</td>" for n in names) + "</tr>" for r in rows)
    return (
        f"<section><h2>Tables of this lake</h2><div class='scroll'><table><tr>{head}</tr>{body}</table></div></section>"
    )


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()
