#!/usr/bin/python3
"""Turns the guides into pages that need no network: site.py OUT, from the top of the tree.

Each Markdown file of doc/, and SECURITY.md, becomes a page; each .dot of doc/pictures an SVG (by dot, of graphviz). A link to
one of these becomes a link to its page. A link, anchor or picture that leads nowhere is an error.
"""
import os
import re
import shutil
import subprocess
import sys

import markdown

PAGES = {"doc/index.md": "index.html", "doc/researchers.md": "researchers.html", "doc/governance.md": "governance.html",
         "doc/chain.md": "chain.html",
         "doc/administrators.md": "administrators.html", "doc/how-it-works.md": "how-it-works.html",
         "SECURITY.md": "security.html"}
TITLES = {"index.html": "Start", "researchers.html": "Researchers", "governance.html": "Information governance",
          "chain.html": "From an image to a receipt",
          "administrators.html": "Administrators", "how-it-works.html": "How it works", "security.html": "Security"}
STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --line: #ccc; --soft: #f3f5f7; --link: #0b57a4 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b; --line: #444; --soft: #22262b; --link: #8ab8f0 } }
body { margin: 0; font: 1rem/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
nav { border-bottom: 1px solid var(--line); padding: .6rem 1rem; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem }
main { max-width: 46rem; margin: 0 auto; padding: 1rem }
a { color: var(--link) }
a[aria-current] { font-weight: bold; color: inherit; text-decoration: none }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: .1em .25em; border-radius: 3px }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; border-radius: 4px; line-height: 1.4 }
pre code { padding: 0; background: none }
table { border-collapse: collapse; display: block; overflow-x: auto }
td code { white-space: nowrap }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px }
@media print { nav { display: none } main { max-width: none } pre { white-space: pre-wrap } }
"""
faults = []


def render(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"^```(\w+) .*$", r"```\1", text, flags=re.M)  # (only the tests need the place where a block is checked)
    body = markdown.markdown(text, extensions=["tables", "fenced_code", "toc", "sane_lists"])
    title = re.search(r"^# (.*)$", text, flags=re.M)[1]
    return title, re.sub(r'(href|src)="([^"]*)"', lambda m: '%s="%s"' % (m[1], target(path, m[2])), body)


def target(path, link):
    if re.match(r"[a-z]+:", link):
        faults.append("%s: %s is outside, where a reader may have no network" % (path, link))
    where, _, anchor = link.partition("#")
    anchor = anchor and "#" + anchor
    if not where:
        return anchor
    whole = os.path.normpath(os.path.join(os.path.dirname(path), where))
    if whole in PAGES:
        return PAGES[whole] + anchor
    return os.path.relpath(whole, "doc") + anchor


def page(name, title, body):
    links = "".join('<a href="%s"%s>%s</a>' % (n, ' aria-current="page"' if n == name else "", t) for n, t in TITLES.items())
    return ('<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>%s</title>\n<style>%s</style>\n</head>\n'
            '<body>\n<nav aria-label="Guides">%s</nav>\n<main>\n%s\n</main>\n</body>\n</html>\n' % (title, STYLE, links, body))


def pictures(out):
    os.makedirs(os.path.join(out, "pictures"), exist_ok=True)
    for name in sorted(os.listdir("doc/pictures")):
        base, ext = os.path.splitext(name)
        if ext == ".dot":
            subprocess.run(["dot", "-Tsvg", "-o", os.path.join(out, "pictures", base + ".svg"), "doc/pictures/" + name],
                           check=True)
        else:
            shutil.copy("doc/pictures/" + name, os.path.join(out, "pictures", name))


def check_links(out, bodies):
    ids = {name: set(re.findall(r'id="([^"]*)"', body)) for name, (_, body) in bodies.items()}
    for name, (_, body) in bodies.items():
        for link in re.findall(r'(?:href|src)="([^"]*)"', body):
            where, _, anchor = link.partition("#")
            if where and where not in bodies and not os.path.exists(os.path.join(out, where)):
                faults.append("%s: nothing is at %s" % (name, link))
            elif anchor and anchor not in ids.get(where or name, ()):
                faults.append("%s: there is no %s" % (name, link))


def main(out):
    pictures(out)
    bodies = {name: render(path) for path, name in PAGES.items()}
    check_links(out, bodies)
    for name, (title, body) in bodies.items():
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(page(name, title, body))
    print("\n".join(faults), end="\n" if faults else "")
    return bool(faults)


sys.exit(main(sys.argv[1]))
