#!/usr/bin/python3
"""Draws the text of a terminal, from stdin, as an SVG on stdout. It folds lines at 96 characters, as a terminal does."""
import html
import sys
import textwrap

WIDTH, LINE, LEFT = 96, 19, 14
lines = [part for line in sys.stdin.read().splitlines()
         for part in (textwrap.wrap(line, WIDTH, drop_whitespace=False, break_on_hyphens=False) or [""])]
height = LINE * len(lines) + 2 * LEFT
print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="ui-monospace, monospace" '
      'font-size="14">' % (WIDTH * 8.5 + 2 * LEFT, height))
print('<title>%s</title>' % html.escape("A terminal: " + "; ".join(line[2:] for line in lines if line.startswith("$ "))))
print('<rect width="100%" height="100%" rx="6" fill="#1e2227"/>')
for i, line in enumerate(lines):
    colour = "#8ab8f0" if line.startswith("$ ") else "#f0b48a" if line.startswith("ces: ") else "#e6e6e6"
    print('<text x="%d" y="%d" fill="%s" xml:space="preserve">%s</text>' %
          (LEFT, LEFT + LINE * (i + 1) - 5, colour, html.escape(line)))
print("</svg>")
