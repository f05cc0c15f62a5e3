"""Tables: a sheet of cells that writes itself as CSV, Markdown and LaTeX, and the layouts made of it.

Here: functions from runs to sheets.
Not here: the scores themselves (`metrics.table`), and which tables a page shows (`reports.page`).
"""
