"""Experiments that pytest-xdist spreads over workers, judged and reported as one family.

Workers run and store processes of experiments, and hand their reports over unjudged. The process
that controls them has the whole family: it judges, releases the reports to pytest, and says which
processes are to run in further rounds, by whichever worker is free.
"""
