import argparse
import os

import uvloop

from mizzen.apiserver.run import ApiServerConfig, serve
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.store.local import LocalStore


async def main(a):
    home = Home.locate(a.home, os.environ)
    home.make()
    clock = RealClock()
    p = pki.ensure(home, clock, listen="127.0.0.1", port=a.port)
    import json

    tokens = {t: i for i, t in json.loads(home.tokens.read_text()).items()}
    store = LocalStore(home.store)
    cfg = ApiServerConfig("127.0.0.1", a.port, p.cert_file, p.key_file, tokens, home.node / "pods")
    await serve(cfg, store, clock, lambda: print("ready", flush=True))


ap = argparse.ArgumentParser()
ap.add_argument("--home")
ap.add_argument("--port", type=int)
uvloop.run(main(ap.parse_args()))
