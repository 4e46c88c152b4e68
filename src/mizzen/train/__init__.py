"""The users' training library: elastic, checkpointed, with an exact data order.

A script written with it runs alone (`python train.py`) and, unchanged, as an elastic TrainJob:

    job = train.init(steps=400, framework="jax")
    for world in job.worlds():                        # once per formation
        state = world.restore(make_state)             # newest complete step, or make_state()
        for rows in world.data(dataset, global_batch=6):
            loss, gradients = world.mean(compute(state, rows))
            state = update(state, gradients)
            world.step(state, loss=loss)              # staged; the loop ends when ranks change

Deliberately lacks: frameworks (adapters import them when asked), the API client, everything
of Mizzen but `mizzen.base`: it must import inside a program that has nothing else of it.
"""

from importlib import import_module

try:
    import_module("numpy")
except ImportError as error:
    raise ImportError(f"mizzen.train needs numpy ({error}): pip install 'mizzen[jax]'") from error

from mizzen.train.errors import TrainError
from mizzen.train.job import Job, init
from mizzen.train.world import World

__all__ = ["Job", "TrainError", "World", "init"]
