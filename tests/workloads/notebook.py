#!/usr/bin/python3
"""Makes a notebook in a browser, as a person does: notebook.py URL TOKEN CODE. It signs in, opens a new notebook,
types CODE into its first cell, runs it with Shift+Enter, and prints the result below it."""
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from browser import Browser  # noqa: E402


def press(page, key, code, **more):
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)


def main(url, token, code):
    with Browser() as page:
        tree = urllib.parse.urlsplit(url).path + "/tree"
        page.go(url + "/login?next=" + urllib.parse.quote(tree, safe=""))
        page.until("(e => e && (e.focus(), document.activeElement == e))(document.getElementById('password_input'))")
        page.ask("Input.insertText", text=token)
        page.until(f"document.getElementById('password_input').value == '{token}'")
        press(page, "Enter", 13, text="\r")
        page.until("document.querySelector('#kernel-python3 a') != null", 30)
        # (what the menu's entry does, but in this tab)
        page.value("window.open = () => ({ set location(to) { window.location = to; } })")
        page.value("document.querySelector('#kernel-python3 a').click()")
        page.until("window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected()", 60)
        page.value("Jupyter.notebook.select(0); Jupyter.notebook.edit_mode()")
        page.ask("Input.insertText", text=code)
        press(page, "Enter", 13, text="\r", modifiers=8)
        page.until("document.querySelector('.output_area .output_subarea') != null", 60)
        print(page.value("document.querySelector('.output_area .output_subarea').innerText"))


if __name__ == "__main__":
    main(*sys.argv[1:])
