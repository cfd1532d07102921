#!/usr/bin/python3
"""Checks a report page for readers without sight or colours: page.py PAGE.html. Headings are in order;
every table, picture, region and list of links has a name; the page loads nothing and has no scripts; every pair
of colours has enough contrast. If chromium is installed, it also checks the accessibility tree that chromium
makes of the page. In CI (CI=true) it must be."""
import html.parser
import os
import re
import shutil
import sys

from browser import Browser

faults = []


def need(good, what):
    if not good:
        faults.append(what)


class Page(html.parser.HTMLParser):
    void = {"meta", "br", "rect", "link", "img"}

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.ids, self.refs, self.text, self.tables = [], [], set(), [], {}, []

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        need(tag not in ("script", "iframe", "object", "embed", "link", "img", "form"), f"a <{tag}>")
        need(not any(k.startswith("on") for k in a), f"a handler on <{tag}>")
        for k in ("src", "href", "action", "data"):
            need(k not in a or a[k].startswith("#"), f"{k}={a.get(k)} leads out of the page")
        if "id" in a:
            need(a["id"] not in self.ids, f"id {a['id']} is there twice")
            self.ids.add(a["id"])
        self.refs += a.get("aria-labelledby", "").split()
        if a.get("href", "").startswith("#"):
            self.refs.append(a["href"][1:])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "html":
            need(a.get("lang"), "no language")
        if tag in ("svg", "nav", "section") or a.get("role") == "region":
            need("aria-label" in a or "aria-labelledby" in a, f"a <{tag}> without a name")
        if tag == "svg":
            need(a.get("role") == "img", "an <svg> that is no picture")
        if tag == "table":
            self.tables.append({"caption": False})
        if tag == "caption":
            self.tables[-1]["caption"] = True
        if tag == "th":
            need(a.get("scope") in ("col", "row"), "a header cell without a scope")
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag):
        need(self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1] if self.open else ''}>")
        if self.open:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


def luminance(colour):
    colour = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def check_colours(style):
    inks = re.findall(r"(?<!-)\bcolor:(#[0-9a-f]{3,6})", style)
    papers = re.findall(r"background:(#[0-9a-f]{3,6})", style)
    need(inks and papers, "no colours are declared")
    for ink in inks:
        need(contrast(ink, "#ffffff") >= 7, f"{ink} on white")
    for paper in papers:
        need(contrast("#111111", paper) >= 7, f"text on {paper}")
    for line in re.findall(r"(?:border|stroke|fill):[^;}]*?(#[0-9a-f]{3,6})", style):
        need(line == "#fff" or contrast(line, "#ffffff") >= 3, f"lines of {line}")


def tree(path):
    """Returns the accessibility tree, and how wide the page is on two screens."""
    widths = []
    with Browser() as page:
        for width in (1280, 390):
            page.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            page.go("file://" + os.path.abspath(path))
            widths.append((width, page.value("document.documentElement.scrollWidth")))
        nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    return [n for n in nodes if not n.get("ignored")], widths


def check_tree(path):
    nodes, widths = tree(path)
    role = lambda n: n.get("role", {}).get("value", "")
    name = lambda n: n.get("name", {}).get("value", "")
    for width, size in widths:
        need(size <= width, f"at {width} pixels the page is {size} wide")
    roles = {}
    for n in nodes:
        roles.setdefault(role(n), []).append(name(n))
    for wanted in ("main", "navigation", "heading", "table", "columnheader", "rowheader", "region", "link", "banner"):
        need(wanted in roles, f"the tree has no {wanted}")
    for named in ("heading", "link", "navigation", "region", "image", "img", "table", "columnheader", "rowheader"):
        need(all(roles.get(named, ["x"])), f"the tree has a {named} without a name")
    need(len(roles.get("heading", [])) > 10, "the tree has few headings")


def main(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    page = Page()
    page.feed(text)
    need(not page.open, f"never closed: {page.open}")
    need(page.headings[:1] == [1] and page.headings.count(1) == 1, "not one first heading")
    need(all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:])), "a level of headings is left out")
    need(all(r in page.ids for r in page.refs), f"names of nothing: {[r for r in page.refs if r not in page.ids]}")
    need(all(t["caption"] for t in page.tables), "a table without a caption")
    need("".join(page.text.get("title", [])).strip(), "no title")
    need("url(" not in text.replace("url(#stripes)", ""), "something is loaded")
    check_colours("".join(page.text.get("style", [])))
    if shutil.which("chromium"):
        check_tree(path)
    else:
        need(os.environ.get("CI") != "true", "chromium is missing, so nobody checks the accessibility tree")
    print("\n".join(faults) if faults else "nothing is wrong with the page")
    sys.exit(len(faults) > 0)


if __name__ == "__main__":
    main(sys.argv[1])
