#!/bin/bash
# Prints the lines of tests/vm/suites to run. Each line is for a machine of its own.
if [ -n "${CES_EVERY:-}" ]; then
	sed '/^#/d; s/^all //; s/@[^ ]*//' tests/vm/suites
else
	sed '/^#/d; /^all /d' tests/vm/suites
fi
