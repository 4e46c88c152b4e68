"""openvino-genai: GGUF files and OpenVINO folders on this machine's CPUs."""

from __future__ import annotations

import os
import sys

from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.engine.backend import Backend, LoadedModel, Settings
from mizzen.engine.model import ModelFile
from mizzen.engine.openvino.files import find_model


def _load(model: ModelFile, settings: Settings) -> LoadedModel:
    # openvino imports its model converter when it is there (60 ms of CPU, measured); None
    # here makes that import fail, which openvino/__init__.py allows for.
    sys.modules.setdefault("openvino.tools.ovc", None)  # pyright: ignore[reportArgumentType]
    if settings.threads == 1:
        # With one thread openvino 2026.4.1 divides by zero where the CPU has AMX (tried: every
        # size of model ends in SIGFPE); with the instructions below AMX it does not.
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
    from mizzen.engine.openvino.pipeline import Pipeline  # takes longer than the rest of the start

    return Pipeline(model, settings)


BACKEND = Backend(
    name=PROFILE.name,
    block_tokens=PROFILE.block_tokens,
    find_model=find_model,
    load=_load,
)
