"""A business on the stand-in marketplaces, in one process: both worlds, the wire between them, and one clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from chalicelib.channels.transport import HttpRequest, HttpResponse
from chalicelib.store.accounts import add_account
from local.marketplaces.accounts import accounts
from local.marketplaces.catalogue import CATALOGUE, Listing
from local.marketplaces.faults import CALM, Faults
from local.marketplaces.wire import Request
from local.marketplaces.world import Marketplaces
from local.memory.meter import BYTES_OUT, CHANNEL_CALL
from local.memory.world import World
from local.seed import add_accounts, add_catalogue
from local.services import Services, service_accounts

SHOP_URL = "https://millrace-goods.myshopify.com/"
BASE = "https://markets.example"
START = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Business:
    """An own `World` connected to `Marketplaces` that sell only on demand, and to the `services` that there are; all
    live by the clock `now`."""

    def __init__(
        self,
        catalogue: Sequence[Listing] = CATALOGUE,
        faults: Faults = CALM,
        seed: int = 5,
        *,
        amazon_rate_scale: float = 100_000,
        services: Services | None = None,
    ) -> None:
        self.now = START
        self.markets = Marketplaces(
            seed,
            catalogue,
            faults,
            rate_per_s=0,
            start=START,
            clock=lambda: self.now,
            amazon_rate_scale=amazon_rate_scale,
            public_url=BASE,
        )
        self.services = services
        self.world = World(transport=self._send)
        self.pass_clock(0)
        connected = accounts(self.markets, BASE)
        add_accounts(self.world.tables, connected, self.world.now_ms)
        if services:
            connected |= (others := service_accounts(services, BASE, "shopify", SHOP_URL))
            for name, account in others.items():
                add_account(self.world.tables, name, account["settings"])
        for name, account in connected.items():
            self.world.secrets.kept |= {
                f"{name}/{kind}": account[kind] for kind in ("api", "webhook") if kind in account
            }
        add_catalogue(self.world.tables, catalogue, self.markets.shopify.location_id, self.world.now_ms)
        self.world.run()

    def _send(self, request: HttpRequest) -> HttpResponse:
        split = urlsplit(request.url)
        _, name, rest = split.path.split("/", 2)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        self.world.meter.count(CHANNEL_CALL, name)
        self.world.meter.count(BYTES_OUT, name, _bytes_of(request))
        asked = Request(request.method, f"/{rest}", query, request.headers, request.body)
        with self.world.meter.elsewhere():
            of_service = self.services and name in self.services.markets
            answer = (self.services if of_service else self.markets).handle(name, asked)
        headers = {key.lower(): value for key, value in answer.headers.items()}
        return HttpResponse(answer.status, headers, answer.body)

    def pass_clock(self, seconds: float) -> None:
        """Both worlds are so much later; nothing happens yet."""
        self.now += timedelta(seconds=seconds)
        self.world.now_ms = round(self.now.timestamp() * 1000)


def _bytes_of(request: HttpRequest) -> int:
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.items())
    return len(request.method) + len(request.url) + headers + len(request.body)
