"""The shared-memory files through which node agent and training workers meet.

One directory per TrainJob, made and owned by the agent, so that it outlives every worker:

    gang      one 4 KiB page: which formation should run, and when ranks leave the old one
    rank-<i>  a 4 KiB header, a ring of recorded intervals, two buffers for staged state

Every field is one aligned little-endian 64-bit word, written by exactly one side and stored
whole (x86-64 and arm64 do not tear aligned words). Torn state is caught by commit order:
a buffer's step is set to 0 (none) before the copy and to step + 1 after it, checksum in between.

Formations. The control word carries the wanted (generation, size). Rank 0 alone reads it, at
each step boundary. Finding a new generation after step s it stores `leave` = (generation, s + 1)
and computes one more step; every other rank reads `leave` at its own boundaries. No rank can
finish step s + 1 before rank 0 entered its collective, hence all see `leave` in time and
all stop after the same step, and OWN_STEPS of two ranks of a formation differ by one at most:
where they do not, the ranks compute apart and one's state is not the other's. A formation of one leaves at once. Rank 0 may also look just before
it enters a collective of step s and then store (generation, s): nobody can finish s without it.

Which formation follows is rank 0's word alone, `formed`: while others only look at the control
word, two of them could read two different generations and wait for each other. Rank 0 copies
the newest control word that includes it into `formed`; a rank joins when its generation is >= what
it awaits and above the one it left, and its size is > rank; a member whose rank is >= size has left.
A stopped job is `formed` with size 0.
Ports: the coordinator of generation g listens on COORDINATOR_PORT + g % PORT_SPREAD, so that
nobody meets the service of the formation before.
A rank file is never cut short or replaced while its job lives: other ranks restore from it.

Durable checkpoints: the agent copies LENGTH bytes of a complete buffer (checking its step word
before and after) to the job's durable tiers (mizzen/checkpoints; base/checkpoint.py is their form).
The folder `programs` in `MIZZEN_CHECKPOINTS` belongs to the workers (compiled programs); the agent
leaves it alone.
The checksum is the workers' own (mizzen/train/state.py); the agent passes the word on. LENGTH is a
multiple of 64. "step" of a buffer = completed steps that its state contains, so its word is that + 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PAGE_BYTES = 4096
GANG_MAGIC = 0x474E41475A494D01  # "\x01MIZGANG"
RANK_MAGIC = 0x4B4E41525A494D01  # "\x01MIZRANK"
WORD = struct.Struct("<Q")

# -- gang page: word offsets, in bytes ------------------------------------------
GANG_OFFSET_MAGIC = 0
GANG_OFFSET_CONTROL = 8  # agent writes: see pack_control
GANG_OFFSET_LEAVE = 16  # rank 0 writes: see pack_leave; 0 = nobody leaves
GANG_OFFSET_COORDINATOR_IP = 24  # agent writes: IPv4 of rank 0's pod as a number
GANG_OFFSET_COORDINATOR_PORT = 32
GANG_OFFSET_FORMED = 40  # rank 0 writes: pack_control of the formation that assembles or runs

PORT_SPREAD = 16
GENERATION_MAX = 2**24 - 1  # as `leave` holds it
STEPS_MAX = 2**40 - 1

FLAG_STOP = 2  # finish the step, stage, leave; the whole job stops

# -- rank file header: word offsets, in bytes -------------------------------------
RANK_OFFSET_MAGIC = 0
RANK_OFFSET_AWAITS = 8  # agent, before spawn: join this generation or a later one, no earlier
RANK_OFFSET_STATE = 16  # worker: a RankState
RANK_OFFSET_GENERATION = 24  # worker: formation it is in, 0 = none yet
RANK_OFFSET_STEPS_DONE = 32  # worker: completed steps (the next step's index)
RANK_OFFSET_STEPS_TOTAL = 40  # worker: planned steps, 0 = unknown
RANK_OFFSET_LOSS = 48  # worker: IEEE double bits of the last metric "loss"
RANK_OFFSET_STEP_NS = 56  # worker: duration of the last step
RANK_OFFSET_STATE_BYTES = 64  # worker: capacity of each state buffer, 0 = not made yet
RANK_OFFSET_BUFFERS_AT = 72  # worker: file offset of buffer 0; buffer 1 follows at + STATE_BYTES
RANK_OFFSET_BUFFER0 = 80  # worker: step + 1 of the state in buffer 0, 0 = none or being written
RANK_OFFSET_BUFFER1 = 88
RANK_OFFSET_CHECKSUM0 = 96  # worker: checksum of buffer 0 (mizzen/train/state.py)
RANK_OFFSET_CHECKSUM1 = 104
RANK_OFFSET_LENGTH0 = 112  # worker: bytes used in buffer 0, header included
RANK_OFFSET_LENGTH1 = 120
RANK_OFFSET_RING_NEXT = 128  # worker: number of intervals ever written; slot = n % RING_SLOTS
RANK_OFFSET_NOT_DURABLE = 152  # agent: errno of the durable copy that failed last, 0 = none
RANK_OFFSET_OWN_STEPS = 160  # worker: steps it completed itself in the formation it is in
RANK_OFFSET_SHARD = 168  # worker: pack_shard of what its buffers hold, 0 = a whole state
RANK_OFFSET_HEARTBEAT = 144  # worker: CLOCK_REALTIME ns of its latest sign of life

# -- ring of intervals, right after the header ---------------------------------------
RING_SLOTS = 4096
RING_OFFSET = PAGE_BYTES
INTERVAL = struct.Struct("<QQQQ")  # start ns, end ns (CLOCK_REALTIME), cpu ns, line | step << 8
RING_BYTES = RING_SLOTS * INTERVAL.size
BUFFERS_OFFSET = RING_OFFSET + RING_BYTES


class RankState:
    """A worker's state, as the agent sees it."""

    NONE = 0  # file made, no worker yet
    STARTING = 1  # process runs, imports, loads
    AWAITING = 2  # ready to join a formation (pod condition JoinReady)
    JOINED = 3  # running steps
    LEFT = 4  # left for good at a step boundary: staged, safe to kill
    FINISHED = 5  # all planned steps done and staged


class Line:
    """Ledger lines a worker records itself; the agent adds the others (base/ledger.py)."""

    STARTING = 1
    USEFUL_STEP = 2
    REDONE_STEP = 3
    CHECKPOINT_STALL = 4
    REFORMING = 5
    FINISHING = 6
    SERVING_BUSY = 7
    SERVING_IDLE = 8


@dataclass(frozen=True, slots=True)
class Control:
    generation: int
    size: int
    flags: int = 0


def pack_control(control: Control) -> int:
    """generation in the high 40 bits, then size 16, then flags 8."""
    return (control.generation << 24) | (control.size << 8) | control.flags


def unpack_control(word: int) -> Control:
    return Control(word >> 24, (word >> 8) & 0xFFFF, word & 0xFF)


def pack_shard(index: int, count: int) -> int:
    """The index of a checkpoint's shard among `count`; a whole state is the only one of one."""
    return 0 if count == 1 else (index << 32) | count


def unpack_shard(word: int) -> tuple[int, int]:
    return word >> 32, (word & 0xFFFFFFFF) or 1


def pack_leave(generation: int, step: int) -> int:
    """`step` is the last step of the old formation; both fit: 24 and 40 bits."""
    return (generation << 40) | step


def unpack_leave(word: int) -> tuple[int, int]:
    return word >> 40, word & ((1 << 40) - 1)
