"""Admission to queues: which of the units that wait may be placed now, and in which order.

`policy` has the interface, `usage` what each queue holds; every module with a `POLICY` is found by
the scheduler. Deliberately lacks: quotas. Today's one policy, `priority`, admits everything.
"""
