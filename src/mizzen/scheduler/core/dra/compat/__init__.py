"""Parity with upstream, for `mizzen allocate` and for comparison, beyond what the placer uses.

`case` reads a question and answers it, `gates` reads upstream's feature gates, `constraints` repeats
how upstream tracks them. The placer never comes here: its order is `pack`, its features are `ALL`.
"""
