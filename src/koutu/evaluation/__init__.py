"""How good networks are on a data set: what users run, measured, tabled and shown.

`measure` scores one matte, `run` goes through a set and can be taken up again, `table` sums up with confidence
intervals, `report` makes a page to look at, `testset` composes test sets from cut-outs.
"""
