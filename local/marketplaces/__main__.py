"""python -m local.marketplaces --port 8801 --webhook-url http://127.0.0.1:8800/webhooks/shopify …"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from local.marketplaces.deliver import ask_challenge, to_seller
from local.marketplaces.faults import CALM, EVERYDAY
from local.marketplaces.server import MarketplaceServer, utc_now
from local.marketplaces.world import Marketplaces


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="local.marketplaces", description="Stand-in Shopify, Amazon and eBay.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--webhook-url", default="", help="where Shopify's webhooks go")
    parser.add_argument("--amazon-queue-url", default="", help="SQS queue for Amazon's notifications")
    parser.add_argument("--state", type=Path, help="file that keeps everything over a restart")
    parser.add_argument("--rate", type=float, default=1.0, help="orders a second over all three")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--faults", choices=("everyday", "none"), default="everyday")
    parser.add_argument("--amazon-rate-scale", type=float, default=10.0, help="multiplies Amazon's published rates")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Serves until SIGINT or SIGTERM."""
    chosen = parse_arguments(arguments)
    world = Marketplaces(
        chosen.seed,
        faults=EVERYDAY if chosen.faults == "everyday" else CALM,
        rate_per_s=chosen.rate,
        start=utc_now(),
        clock=utc_now,
        amazon_rate_scale=chosen.amazon_rate_scale,
        woocommerce=True,
        public_url=f"http://127.0.0.1:{chosen.port}",
    )
    deliver = to_seller(chosen.webhook_url, chosen.amazon_queue_url)
    try:
        server = MarketplaceServer(world, deliver, port=chosen.port, state=chosen.state)
    except OSError as error:
        sys.exit(f"port {chosen.port}: {error.strerror}")
    world.amazon.base_url = f"http://127.0.0.1:{server.port}/amazon"
    world.ebay.base_url = f"http://127.0.0.1:{server.port}/ebay"
    world.ebay.challenge = ask_challenge
    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    with server:
        print(f"marketplaces on http://127.0.0.1:{server.port} (control: /_control/state)", flush=True)
        stop.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
