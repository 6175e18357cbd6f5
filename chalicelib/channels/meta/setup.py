"""Whether a token may see dataset and catalogue. Sources: official models AdsPixel and ProductCatalog (#get)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.channels.fields import Node
from chalicelib.channels.meta.conversions import GRAPH, appsecret_proof, read_graph
from chalicelib.channels.transport import HttpRequest, Transport


class MetaAccount:
    """Reads of one account. Credentials as of `ConversionsClient`. Everything raises `Busy`, `Unauthorised` (the token
    is gone) and `Refused` (it may not see this)."""

    def __init__(self, transport: Transport, credentials: Mapping[str, Any]) -> None:
        self._transport = transport
        self._token = str(credentials["access_token"])
        secret = str(credentials.get("app_secret") or "")
        self._proof = {"appsecret_proof": appsecret_proof(self._token, secret)} if secret else {}

    def dataset(self, dataset_id: str) -> tuple[str, bool]:
        """Its name, and whether it can be used."""
        found = self._get(dataset_id, "id,name,is_unavailable")
        return found.text("name"), not found.flag("is_unavailable")

    def catalogue(self, catalogue_id: str) -> tuple[str, int]:
        """Its name, and how many products it has."""
        found = self._get(catalogue_id, "id,name,product_count")
        return found.text("name"), found.whole("product_count")

    def _get(self, thing: str, fields: str) -> Node:
        """The token goes into a header: a URL ends up in logs."""
        url = f"{GRAPH}/{quote(thing, safe='')}?{urlencode({'fields': fields, **self._proof})}"
        return Node(read_graph(self._transport(HttpRequest("GET", url, {"authorization": f"Bearer {self._token}"}))))
