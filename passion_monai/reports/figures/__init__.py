"""Pictures: curves, averages, gains, cases with their contours, errors; and the style that they share.

Here: functions that draw one figure into one file.
Not here: which figures a page shows (`reports.page`).
"""
