"""Tool calls as models write them, one file per syntax.

`syntax.py` says what a syntax is, `text.py` finds calls in text with the syntaxes it is given, `every.py` lists them
all. A new syntax is a file with a `SYNTAX` (or several that share a reader) and a line in `every.py`.
"""
