"""The grader: submission -> observe -> judge -> report.

submission  reads a learner's code out of a notebook or a Python file
observe     runs the checks' probes on that code in a child process and brings back data
judge       compares the data with the reference's and names known mistakes
report      draws the result for the terminal, the notebook and JSON
"""
