"""Carriers as Amazon names them. A carrier that has no code goes as "Other" with its own name.

Source: the values of `CarrierCode` in Amazon's feed schema amzn-base.xsd, as public code generated from it shows them;
confirmShipment's model (ordersV0.json, PackageDetail) gives no list, and says that "Other" needs a carrierName.
"""

from __future__ import annotations

OTHER = "Other"

_CODES = (
    "USPS",
    "UPS",
    "UPS Mail Innovations",
    "FedEx",
    "FedEx SmartPost",
    "DHL",
    "DHL Global Mail",
    "DHL eCommerce",
    "OnTrac",
    "Lasership",
    "Newgistics",
    "OSM",
    "Streamlite",
    "Canada Post",
    "Blue Package",
    "Royal Mail",
    "Parcelforce",
    "City Link",
    "TNT",
    "GLS",
    "GO!",
    "DPD",
    "Hermes",
    "Hermes Logistik Gruppe",
    "Fastway",
    "Chronopost",
    "Deutsche Post",
    "La Poste",
    "Parcelnet",
    "Poste Italiane",
    "SDA",
    "Smartmail",
    "Target",
    "BlueDart",
    "SagawaExpress",
    "NipponExpress",
    "YamatoTransport",
    "4PX",
    "Asendia",
    "China Post",
    "Hongkong Post",
    "India Post",
    "SF Express",
    "Yanwen",
    "Amazon Shipping",
    "APC Overnight",
    "Aramex",
    "Australia Post",
    "BRT",
    "Colis Prive",
    "Colissimo",
    "Correios",
    "Correos",
    "Correos Express",
    "DB Schenker",
    "Delhivery",
    "DHL Express",
    "DHL Freight",
    "DHL-Paket",
    "DPD Local",
    "DTDC",
    "Estafeta",
    "Fedex Freight",
    "First Mile",
    "geodis",
    "Hermes UK",
    "InPost",
    "Japan Post",
    "MRW",
    "Nacex",
    "Polish Post",
    "Post NL",
    "PostNord",
    "PUROLATOR",
    "Sendle",
    "Seur",
    "Singapore Post",
    "Tuffnells",
    "UKMail",
    "UPS Freight",
    "Whistl",
    "Yodel",
    "Yun Express",
)
_OTHER_NAMES = {
    "federalexpress": "FedEx",
    "unitedparcelservice": "UPS",
    "usps.com": "USPS",
    "unitedstatespostalservice": "USPS",
    "royalmailgroup": "Royal Mail",
    "hlg": "Hermes Logistik Gruppe",
    "yamato": "YamatoTransport",
    "sagawa": "SagawaExpress",
}


def _folded(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum() or sign in ".!")


_BY_NAME = {_folded(code): code for code in _CODES} | _OTHER_NAMES


def carrier_fields(carrier: str) -> dict[str, str]:
    """`carrierCode`, and `carrierName` where Amazon has no code for this carrier. Case and spaces do not matter."""
    code = _BY_NAME.get(_folded(carrier))
    return {"carrierCode": code} if code else {"carrierCode": OTHER, "carrierName": carrier or OTHER}
