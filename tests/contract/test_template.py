"""What is deployed: the packaged template and the zip, held to the rules that Chalice alone would not keep."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tools.functions import DEPLOYED, FUNCTIONS, Every, Stage
from tools.names import function_id
from tools.package import ROOT, Package, build, code_files, lint

Json = dict[str, Any]
LARGEST_ZIP_BYTES = 15_000_000


@pytest.fixture(scope="module", params=["local", "prod"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return DEPLOYED[request.param]


@pytest.fixture(scope="module")
def package(stage: Stage) -> Package:
    return build(stage)


@pytest.fixture(scope="module")
def resources(package: Package) -> Json:
    found: Json = package.template()["Resources"]
    return found


def of_type(resources: Json, kind: str) -> dict[str, Json]:
    found = {name: each["Properties"] for name, each in resources.items() if each["Type"] == f"AWS::{kind}"}
    assert found, f"the template has no {kind}"
    return found


def functions(resources: Json) -> dict[str, Json]:
    return of_type(resources, "Serverless::Function")


def mappings(resources: Json) -> Iterator[tuple[str, str, Json]]:
    """Function, kind and settings of each event source mapping."""
    for name, function in functions(resources).items():
        for event in function.get("Events", {}).values():
            if event["Type"] in {"SQS", "DynamoDB"}:
                yield name, event["Type"], event["Properties"]


def target(reference: Json) -> str:
    """The logical id in {"Fn::GetAtt": [id, ...]}."""
    return str(reference["Fn::GetAtt"][0])


def statements(resources: Json, function: str) -> list[Json]:
    role = target(functions(resources)[function]["Role"])
    policies = resources[role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def test_cfn_lint_finds_nothing(package: Package) -> None:
    lint(package)


def test_every_function_of_the_table_is_deployed_and_no_other(resources: Json) -> None:
    assert set(functions(resources)) == {function_id(function) for function in FUNCTIONS}


def test_every_mapping_reports_single_failures(resources: Json) -> None:
    found = list(mappings(resources))
    assert {kind for _, kind, _ in found} == {"SQS", "DynamoDB"}
    for function, _, settings in found:
        assert settings["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function


def test_every_queue_hands_what_fails_to_a_dead_letter_queue(resources: Json) -> None:
    queues = of_type(resources, "SQS::Queue")
    for name, queue in queues.items():
        if name.endswith("Dlq"):
            assert "RedrivePolicy" not in queue
        else:
            assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
            assert target(queue["RedrivePolicy"]["deadLetterTargetArn"]) == name.removesuffix("Queue") + "Dlq"
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True, name


def test_every_dead_letter_queue_has_an_alarm_that_tells_somebody(resources: Json) -> None:
    watched = {}
    for alarm in of_type(resources, "CloudWatch::Alarm").values():
        value = alarm["Dimensions"][0]["Value"]
        if alarm["MetricName"] == "Alarms":
            assert (alarm["Namespace"], value in DEPLOYED) == ("Headrace", True)
        elif alarm["MetricName"] == "ApproximateNumberOfMessagesVisible":
            watched[target(value)] = alarm
    dead_letter_queues = {name for name in of_type(resources, "SQS::Queue") if name.endswith("Dlq")}
    assert set(watched) == dead_letter_queues
    for alarm in watched.values():
        assert alarm["Threshold"] == 0
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]


def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run(resources: Json) -> None:
    for function, kind, settings in mappings(resources):
        if kind == "SQS":
            timeout_s = functions(resources)[function]["Timeout"]
            window_s = settings["MaximumBatchingWindowInSeconds"]
            queue = resources[target(settings["Queue"])]["Properties"]
            assert queue["VisibilityTimeout"] >= 6 * timeout_s + window_s, function


def test_a_large_batch_has_a_window_to_fill_it(resources: Json) -> None:
    for function, kind, settings in mappings(resources):
        if kind == "SQS" and settings["BatchSize"] > 10:  # Lambda refuses more than 10 without a window
            assert settings["MaximumBatchingWindowInSeconds"] >= 1, function


def test_the_relay_reads_both_streams_from_their_beginning_and_loses_none(resources: Json) -> None:
    streams = {target(s["Stream"]): s for f, kind, s in mappings(resources) if kind == "DynamoDB"}
    assert set(streams) == {"OrdersTable", "StockTable"}
    for settings in streams.values():
        assert settings["StartingPosition"] == "TRIM_HORIZON"
        assert settings["BisectBatchOnFunctionError"] is False
        assert target(settings["DestinationConfig"]["OnFailure"]["Destination"]) == "RelayDlq"


def test_every_function_has_a_role_of_its_own(resources: Json) -> None:
    roles = [target(function["Role"]) for function in functions(resources).values()]
    assert len(roles) == len(set(roles)) == len(FUNCTIONS)
    assert set(of_type(resources, "IAM::Role")) == set(roles)


def test_no_role_reaches_everything(resources: Json) -> None:
    for function in functions(resources):
        for statement in statements(resources, function):
            assert all(isinstance(resource, dict) for resource in statement["Resource"]), function
            assert "*" not in "".join(statement["Action"]), function


def test_only_functions_that_speak_to_channels_may_open_their_credentials(resources: Json) -> None:
    readers = set()
    for function in functions(resources):
        paths = json.dumps(
            [s["Resource"] for s in statements(resources, function) if "ssm:GetParameter" in s["Action"]]
        )
        if '/api"' in paths:
            readers.add(function)
    kinds = ("Shopify", "Amazon", "Ebay", "Shop", "Woocommerce")
    of_one_kind = {f"{work}{kind}" for work in ("Sync", "Poll") for kind in kinds}
    of_several = {"APIHandler", "Fetch", "PollMoney", "PollReturns", "CheckAccounts", "CheckListings", "CheckOrders"}
    of_several |= {"TellMeta", "FeedCatalogue"}  # speak to Meta with that account alone
    of_several |= {"BuyLabels", "PollTracking"}  # speak to carriers' services alone
    assert readers == of_one_kind | of_several


KINDS = ("shopify", "amazon", "ebay", "shop", "woocommerce")
ACCOUNTS = tuple(account for kind in KINDS for account in (kind, f"{kind}-de"))


@pytest.mark.parametrize(
    ("function", "more"),
    [("PollMoney", ["shopify"]), ("PollReturns", ["shopify"]), ("CheckAccounts", ["shopify", "woocommerce"])],
)
def test_what_is_read_of_marketplaces_opens_no_other_shops_credentials(
    resources: Json, function: str, more: list[str]
) -> None:
    patterns = secrets_opened_by(resources, function)
    for account in ACCOUNTS:
        may_open = any(fnmatch(f"{account}/api", pattern) for pattern in patterns)
        assert may_open is (account.split("-")[0] in ("amazon", "ebay", *more)), account


def test_who_keeps_webhooks_opens_what_woocommerce_signs_with_and_no_other(resources: Json) -> None:
    patterns = [pattern for pattern in secrets_opened_by(resources, "CheckAccounts") if pattern.endswith("/webhook")]
    opened = [each for each in ACCOUNTS if any(fnmatch(f"{each}/webhook", pattern) for pattern in patterns)]
    assert opened == ["woocommerce", "woocommerce-de"]


def secrets_opened_by(resources: Json, function: str) -> list[str]:
    """Patterns of the names, below /headrace/<stage>/."""
    reading = [s for s in statements(resources, function) if "ssm:GetParameter" in s["Action"]]
    paths = [resource["Fn::Sub"].partition(":parameter/headrace/")[2] for s in reading for resource in s["Resource"]]
    return [path.partition("/")[2] for path in paths]


@pytest.mark.parametrize("function", ["BuyLabels", "PollTracking"])
def test_what_speaks_to_carriers_opens_no_channels_credentials(resources: Json, function: str) -> None:
    patterns = secrets_opened_by(resources, function)
    assert any(fnmatch("easypost-eu/api", pattern) for pattern in patterns)
    assert not [each for each in ACCOUNTS if any(fnmatch(f"{each}/api", pattern) for pattern in patterns)]


def test_what_is_open_to_the_world_reads_no_body_but_labels(resources: Json) -> None:
    reading = [s["Resource"] for s in statements(resources, "APIHandler") if "s3:GetObject" in s["Action"]]
    assert reading == [[{"Fn::Sub": "${BodiesBucket.Arn}/labels/*"}]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_opens_the_credentials_of_its_own_kind_of_channel_only(resources: Json, kind: str) -> None:
    for function in (f"Sync{kind.title()}", f"Poll{kind.title()}"):
        patterns = secrets_opened_by(resources, function)
        for account in ACCOUNTS:
            may_open = any(fnmatch(f"{account}/api", pattern) for pattern in patterns)
            assert may_open is (account.split("-")[0] == kind), (function, account)


def test_what_is_open_to_the_world_opens_the_credentials_of_ebay_only(resources: Json) -> None:
    """It fetches the keys with which eBay signs."""
    patterns = [pattern for pattern in secrets_opened_by(resources, "APIHandler") if pattern.endswith("/api")]
    opened = [each for each in ACCOUNTS if any(fnmatch(f"{each}/api", pattern) for pattern in patterns)]
    assert opened == ["ebay", "ebay-de"]


def tables_changed_by(resources: Json, function: str) -> set[str]:
    changing = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    found = [s for s in statements(resources, function) if changing & set(s["Action"])]
    return {target(resource) for statement in found for resource in statement["Resource"]}


def test_what_is_open_to_the_world_changes_no_order_and_no_money(resources: Json) -> None:
    """Of the channels it may write the keys with which eBay signs, and nothing else."""
    assert tables_changed_by(resources, "APIHandler") == {"StockTable", "ListingsTable", "ChannelsTable"}
    on_channels = [
        statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
        for statement in statements(resources, "APIHandler")
        if "dynamodb:PutItem" in statement["Action"]
        and {"Fn::GetAtt": ["ChannelsTable", "Arn"]} in statement["Resource"]
    ]
    assert on_channels == [["KEYS#ebay"]]


def test_only_entry_and_erasing_handle_buyers_data(resources: Json) -> None:
    readers = {
        function
        for function in functions(resources)
        for statement in statements(resources, function)
        if {"Fn::GetAtt": ["ContactsTable", "Arn"]} in statement["Resource"]
    }
    # a purchase is told with its buyer, hashed, where he consents; a label bears his address
    assert readers == {"Entry", "Erase", "TellMeta", "BuyLabels"}


def test_channels_access_tokens_are_out_of_reach_of_those_that_only_count(resources: Json) -> None:
    for function in ("APIHandler", "Allocation", "Relay", "Sweep"):
        on_channels = [
            statement
            for statement in statements(resources, function)
            if {"Fn::GetAtt": ["ChannelsTable", "Arn"]} in statement["Resource"]
        ]
        assert on_channels
        for statement in on_channels:
            keys = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
            assert set(keys) <= {"COUNTERS", "SETTINGS", "ACCOUNTS", "HEALTH", "UNLINKED", "KEYS#ebay"}


def test_schedules_are_those_of_the_table(resources: Json, stage: Stage) -> None:
    found = {
        name: event["Properties"]["Schedule"]
        for name, function in functions(resources).items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "Schedule"
    }
    assert set(found) == {function_id(f) for f in FUNCTIONS if isinstance(f.trigger, Every)}
    assert found["Sweep"] == "rate(1 minute)"
    assert found["PollAmazon"] == ("rate(1 minute)" if stage.is_local else "rate(15 minutes)")


def test_every_function_is_told_its_stage_queue_and_bucket(package: Package, stage: Stage) -> None:
    variables = package.template()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables == {
        "HEADRACE_STAGE": stage.name,
        "HEADRACE_QUEUE_URL": {"Ref": "EntryQueue"},
        "HEADRACE_BODIES_BUCKET": {"Ref": "BodiesBucket"},
    }


def test_tables_keep_their_data_in_production_only(resources: Json, stage: Stage) -> None:
    for name, table in of_type(resources, "DynamoDB::Table").items():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        assert table["DeletionProtectionEnabled"] is stage.keeps_data
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": stage.keeps_data}
        assert resources[name]["DeletionPolicy"] == ("Retain" if stage.keeps_data else "Delete")
        assert resources[name]["UpdateReplacePolicy"] == ("Retain" if stage.keeps_data else "Delete")


def test_buyers_data_expires(resources: Json) -> None:
    contacts = of_type(resources, "DynamoDB::Table")["ContactsTable"]
    assert contacts["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    rules = of_type(resources, "S3::Bucket")["BodiesBucket"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules} == {"claims/": 30, "held/": 30, "labels/": 90}


def test_the_bucket_is_private_and_encrypted(resources: Json) -> None:
    bucket = of_type(resources, "S3::Bucket")["BodiesBucket"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_functions_log_for_a_set_time_under_their_own_name(resources: Json, stage: Stage) -> None:
    groups = {group["LogGroupName"]: group for group in of_type(resources, "Logs::LogGroup").values()}
    names = {function["FunctionName"] for function in functions(resources).values()}
    assert set(groups) == {f"/aws/lambda/{name}" for name in names}
    assert {group["RetentionInDays"] for group in groups.values()} == {stage.log_days}


def test_the_runtime_is_the_interpreter_that_packages(resources: Json, stage: Stage) -> None:
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for function in functions(resources).values():
        assert function["Runtime"] == runtime
        if not stage.is_local:
            assert function["Architectures"] == ["arm64"]


def test_the_zip_is_small_and_holds_what_ships_and_nothing_else(package: Package) -> None:
    assert package.zip.stat().st_size < LARGEST_ZIP_BYTES
    with zipfile.ZipFile(package.zip) as zipped:
        names = set(zipped.namelist())
    ours = {file.relative_to(ROOT).as_posix() for file in code_files(ROOT)}
    assert ours <= names
    assert not {name for name in names if name.startswith(("tests/", "local/", "tools/", "boto", ".chalice/"))}


def test_all_code_is_compiled_and_never_checked_against_its_source(package: Package) -> None:
    unchecked = 0b01  # hash-based, not to be checked: PEP 552
    with zipfile.ZipFile(package.zip) as zipped:
        names = set(zipped.namelist())
        for source in (name for name in names if name.endswith(".py")):
            path = Path(source)
            compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            (flags,) = struct.unpack("<4xL", zipped.read(compiled.as_posix())[:8])
            assert flags == unchecked, source


def test_the_same_input_makes_the_same_bytes(package: Package, stage: Stage, tmp_path: Path) -> None:
    again = build(stage, out=tmp_path)
    assert again.zip.read_bytes() == package.zip.read_bytes()
    assert again.sam.read_bytes() == package.sam.read_bytes()
