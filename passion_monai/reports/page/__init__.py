"""The report: one HTML file about one or many runs.

Here: what the page shows, its template, style and script (`html/`), and the viewer of cases in it.
Not here: how a table or a figure is made (`reports.tables`, `reports.figures`).
"""
