"""Pages from outside of docs/, and links between files as links between pages.

Links in this repository are paths from file to file, so that they work where the files
are read. On the site a link to source code goes to the API reference, and one to
another file that is no page of the site becomes plain text.
"""

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
#: Pages that are files outside of docs/.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<text>[^]]+)\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside of docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_on_site(text, source, page)))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Adapts the links of a page in docs/."""
    uri = page.file.src_uri
    if uri == "index.md":
        page.meta["hide"] = ["navigation"]
    if uri in PAGES.values():
        return markdown
    return _on_site(markdown, f"docs/{uri}", uri)


def _on_site(markdown: str, source: str, page: str) -> str:
    """The text of a file of the repository with the links that its page has."""

    def link(match: re.Match[str]) -> str:
        path = posixpath.normpath(
            posixpath.join(posixpath.dirname(source), match["path"])
        )
        if not (ROOT / path).exists():
            # As it stands, so that a strict build fails on it.
            return match[0]
        if path in PAGES or path.startswith("docs/"):
            target = PAGES.get(path) or path.removeprefix("docs/")
            relative = posixpath.relpath(target, posixpath.dirname(page) or ".")
            return f"[{match['text']}]({relative}{match['anchor'] or ''})"
        name = match["text"].strip("`")
        if path.startswith("layers/") and name.split(".")[0] in _public_layers():
            module = path.removesuffix(".py").replace("/", ".")
            return f"[{match['text']}][recurra.{module}.{name.split('.')[0]}]"
        return match["text"]

    parts = _FENCED.split(markdown)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def _public_layers() -> list[str]:
    module = ast.parse((ROOT / "layers" / "__init__.py").read_text(encoding="utf-8"))
    (names,) = (
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    return ast.literal_eval(names)
